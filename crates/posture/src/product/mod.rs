//! Products by what their vendors document: images, commands, flags, variables, keys. Tables and nothing else; a row
//! says which [`Setting`] a name is about and how its value reads.

mod applications;
mod databases;
pub(crate) mod general;
mod servers;
mod training;

use crate::fact::{Reads, Setting};

/// A name with what it is about.
pub(crate) type Row = (&'static str, Setting, Reads);

/// How a product lets callers in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Auth {
    /// Everybody, unless it is told otherwise.
    Optional,
    /// Everybody: it knows no authentication.
    Never,
    /// Those who authenticate, unless it is told otherwise.
    Default,
    /// It listens on nothing.
    NoServer,
}

/// One product.
#[derive(Debug)]
pub(crate) struct Product {
    pub(crate) name: &'static str,
    /// Where its vendor documents what is below.
    pub(crate) doc: &'static str,
    /// Ends of repository paths of its images; with a slash at the end, their beginnings.
    pub(crate) images: &'static [&'static str],
    /// Words that start it.
    pub(crate) commands: &'static [&'static [&'static str]],
    pub(crate) auth: Auth,
    /// What a process listens on where it is not told: true for every interface.
    pub(crate) open: bool,
    /// How to close it: for the line that says what to do.
    pub(crate) close: &'static str,
    /// Flags with their dashes; `_` and `-` are the same.
    pub(crate) flags: &'static [Row],
    pub(crate) variables: &'static [Row],
    /// Keys of its configuration file, dotted; items of lists have the path of the list.
    pub(crate) keys: &'static [Row],
    /// Paths that tell its configuration file: all of one entry must be there.
    pub(crate) shape: &'static [&'static [&'static str]],
    /// It is judged only beside a product of models.
    pub(crate) companion: bool,
}

/// What most products have nothing of.
pub(crate) const PLAIN: Product = Product {
    name: "",
    doc: "",
    images: &[],
    commands: &[],
    auth: Auth::Optional,
    open: true,
    close: "",
    flags: &[],
    variables: &[],
    keys: &[],
    shape: &[],
    companion: false,
};

/// Every product.
pub(crate) fn all() -> impl Iterator<Item = &'static Product> {
    servers::PRODUCTS.iter().chain(applications::PRODUCTS).chain(databases::PRODUCTS).chain(training::PRODUCTS)
}

/// The product of an image such as `docker.io/vllm/vllm-openai:v0.9`.
pub(crate) fn of_image(image: &str) -> Option<&'static Product> {
    let path = repository(image);
    all().find(|p| {
        p.images.iter().any(|i| {
            path == *i
                || path.strip_suffix(i).is_some_and(|before| before.ends_with('/'))
                || i.ends_with('/') && path.starts_with(i)
        })
    })
}

/// The image without its tag and digest.
pub(crate) fn repository(image: &str) -> &str {
    let path = image.split('@').next().unwrap_or(image);
    let name_at = path.rfind('/').map_or(0, |at| at + 1);
    match path.get(name_at..).and_then(|name| name.find(':')) {
        Some(colon) => path.get(..name_at + colon).unwrap_or(path),
        None => path,
    }
}

/// The product that words start, and how many of them name it.
pub(crate) fn of_command(words: &[&str]) -> Option<(&'static Product, usize)> {
    all().find_map(|product| {
        let fits = |command: &&&[&str]| {
            command.len() <= words.len()
                && command.iter().zip(words).enumerate().all(|(at, (want, have))| {
                    // The program may be given with its folder.
                    let have = if at == 0 { have.rsplit('/').next().unwrap_or(have) } else { have };
                    have == *want
                })
        };
        let length = product.commands.iter().filter(fits).map(|c| c.len()).max()?;
        Some((product, length))
    })
}

/// `--like_this` and `--like-this` are one flag.
pub(crate) fn same_flag(a: &str, b: &str) -> bool {
    let plain = |c: u8| if c == b'_' { b'-' } else { c };
    a.len() == b.len() && a.bytes().zip(b.bytes()).all(|(a, b)| plain(a) == plain(b))
}
