//! `bartizan update`.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use bartizan_core::{Deed, TenantId};
use bartizan_guard::{SegmentCache, deed};
use bartizan_sign::{ContentPack, LONGEST_PACK};

use super::args::UpdateArgs;
use super::{Installed, Place};
use crate::DONE;
use crate::config::{self, Config, Loaded};
use crate::problem::Problem;
use crate::record::{actor, block_on, close, shared};
use crate::signing::read_bytes;
use crate::store::{self, Use};

/// Records that are asked for at a time.
const PAGE: u32 = 500;

/// `bartizan update`.
pub(crate) fn run(args: &UpdateArgs) -> anyhow::Result<u8> {
    // Without the installed pack: a broken one is what a roll-back is for.
    let config = config::unchecked(&args.config)?.config;
    let place = Place::of(&config).ok_or_else(|| {
        Problem::new("`store.path` is `:memory:`, so there is no place for a content pack")
            .help("name one: [content] folder = \"content\"")
    })?;
    let lock = place.lock()?;
    match &args.from {
        Some(from) => install(args, &config, &place, from)?,
        None => roll_back(args, &config, &place)?,
    }
    drop(lock);
    Ok(DONE)
}

fn install(args: &UpdateArgs, config: &Config, place: &Place, from: &Path) -> anyhow::Result<()> {
    let trusted = config.content.trust()?;
    let bytes = read_bytes(from, LONGEST_PACK)?;
    let open = |bytes: &[u8]| ContentPack::open(bytes, &trusted);
    let pack = open(&bytes).map_err(|error| {
        Problem::new(format!("`{}`: {error}", from.display()))
            .help("nothing was changed; packs come signed by a key in `content.public_keys`")
    })?;
    let (name, version) = (pack.info.name.clone(), pack.info.version);
    // One that is broken says nothing; the highest version does.
    let current = place.current()?.and_then(|bytes| open(&bytes).ok());
    if current.as_ref().is_some_and(|current| current.digest == pack.digest) {
        writeln!(std::io::stdout(), "{} is in force already", pack.title())?;
        return Ok(());
    }
    let same = current.as_ref().filter(|current| current.info.name == name).map_or(0, |current| current.info.version);
    let highest = place.highest(&name)?.max(same);
    // The file of versions may be gone; what was recorded is still there.
    let highest = if args.allow_older { highest } else { highest.max(recorded(config, &name)?) };
    if !args.allow_older && version <= highest {
        let title = format!("`{name}` {version} is not newer than {highest}, which was in force");
        return Err(Problem::new(title)
            .help("`bartizan update --roll-back` goes back to the one before; `--allow-older` takes any that is signed")
            .into());
    }
    let before = current.map_or_else(|| "shipped".to_owned(), |pack| pack.title());
    let installed = Installed::of(pack)?;
    let title = installed.title();
    let what = what_of(&installed);
    record(&tried(args, Some(installed))?, &title, &before)?;
    place.install(&name, version, &bytes)?;
    writeln!(
        std::io::stdout(),
        "{title} is in force ({what}), in the place of {before}; a running gateway takes it by itself"
    )?;
    Ok(())
}

fn roll_back(args: &UpdateArgs, config: &Config, place: &Place) -> anyhow::Result<()> {
    if place.current()?.is_none() {
        return Err(Problem::new("no content pack is installed")
            .help("what the program was shipped with is in force")
            .into());
    }
    let previous = match place.previous()? {
        None => None,
        Some(bytes) => {
            let pack = ContentPack::open(&bytes, &config.content.trust()?);
            Some(Installed::of(pack.map_err(|error| Problem::new(format!("the content pack before: {error}")))?)?)
        }
    };
    let title = previous.as_ref().map_or_else(|| "shipped".to_owned(), Installed::title);
    record(&tried(args, previous)?, &title, "rolled back")?;
    place.roll_back()?;
    writeln!(std::io::stdout(), "{title} is in force again; a running gateway takes it by itself")?;
    Ok(())
}

/// Builds all guards with a pack, so that one that the program does not start with is not installed.
fn tried(args: &UpdateArgs, installed: Option<Installed>) -> anyhow::Result<Loaded> {
    let loaded = config::load_with(&args.config, &[], installed)?;
    loaded.guard()?;
    loaded.profiles(&Arc::new(SegmentCache::new(0)))?;
    Ok(loaded)
}

/// The record comes first: what was not recorded is not done. It links the identity that decisions carry with the pack.
fn record(loaded: &Loaded, title: &str, before: &str) -> anyhow::Result<()> {
    let config = &loaded.config;
    if !store::Place::of(config, None)?.is_there() {
        return Ok(());
    }
    let guard = loaded.guard()?;
    let id = guard.id();
    let mut act = deed(Deed::ContentChanged, &TenantId::sole(), &actor())
        .about(title)
        .with("before", before)
        .with("rules", &id.rules)
        .with("model", &id.model);
    if let Some(installed) = &config.installed {
        act = act.with("digest", &installed.digest).with("signer", &installed.signer);
    }
    block_on(async {
        let store = shared(config, None).await?;
        store.act(act).await?;
        close(store).await;
        Ok(())
    })
}

/// The highest version of a pack that the records say was put in force; 0 where there is no store.
fn recorded(config: &Config, name: &str) -> anyhow::Result<u64> {
    if !store::Place::of(config, None)?.is_there() {
        return Ok(0);
    }
    block_on(async {
        let store = store::open(config, None, Use::Reading).await?;
        let mut highest = 0;
        let mut after = None;
        loop {
            let acts = store.deeds(&TenantId::sole(), Deed::ContentChanged, after, PAGE).await?;
            for act in &acts {
                let version = act.subject.strip_prefix(name).and_then(|rest| rest.strip_prefix(' ')?.parse().ok());
                highest = version.unwrap_or(0).max(highest);
            }
            match acts.last() {
                Some(last) if acts.len() == PAGE as usize => after = Some(last.seq),
                _ => break,
            }
        }
        close(store).await;
        Ok(highest)
    })
}

/// What a pack brings.
fn what_of(installed: &Installed) -> String {
    let content = &installed.content;
    let counted = [
        (content.tables.len(), "tables of rules"),
        (content.packs.len(), "files of rules"),
        (usize::from(content.weights.is_some()), "classifier"),
        (installed.profiles.len(), "profiles"),
    ];
    let parts: Vec<String> =
        counted.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
    parts.join(", ")
}
