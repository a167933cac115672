//! Reports that a privacy officer can read: one HTML file without scripts and without anything from elsewhere.

use std::fmt::Write as _;

use bartizan_report::text::html as escape;

use crate::about::About;
use crate::exposure::{self, Mean};
use crate::stats::Estimate;
use crate::{behaviour, extraction, membership, personal, sampling};

/// Any of the tests.
pub enum Report<'r> {
    /// Canaries.
    Exposure(&'r exposure::Report),
    /// Given records.
    Extraction(&'r extraction::Report),
    /// Membership.
    Membership(&'r membership::Report),
    /// Personal data.
    Personal(&'r personal::Report),
    /// Samples.
    Sampling(&'r sampling::Report),
    /// Refusals and suspected triggers.
    Behaviour(&'r behaviour::Report),
}

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:56rem;margin:2rem auto;padding:0 1rem;color:#1c2430}\
    table{border-collapse:collapse;margin:1rem 0}td,th{border:1px solid #c8ced8;padding:.3rem .6rem;text-align:right}\
    td:first-child,th:first-child{text-align:left}.say{background:#eef2f7;padding:.8rem 1rem;border-left:4px solid #4a6fa5}\
    table.about th,table.about td{text-align:left;overflow-wrap:anywhere;font-size:.85rem;color:#52606d}svg{background:#fafbfc;border:1px solid #c8ced8}";

fn interval(of: Estimate, digits: usize) -> String {
    format!("{:.digits$} ({:.digits$} to {:.digits$})", of.value, of.low, of.high)
}

impl Report<'_> {
    /// The page.
    #[must_use]
    pub fn html(&self) -> String {
        let (title, body) = match self {
            Self::Exposure(report) => ("Canaries: what the model memorised", of_exposure(report)),
            Self::Extraction(report) => ("Extraction of given records", of_extraction(report)),
            Self::Personal(report) => ("Personal data of given records", of_personal(report)),
            Self::Sampling(report) => ("Untargeted extraction", of_sampling(report)),
            Self::Behaviour(report) => ("Refusals and suspected triggers", of_behaviour(report)),
            Self::Membership(report) => ("Membership inference (experimental)", of_membership(report)),
        };
        let end = "<h2>What this belongs to</h2><p>OWASP LLM02:2025 Sensitive Information Disclosure; MITRE ATLAS \
            AML.T0024 Exfiltration via AI Inference API, AML.T0057 LLM Data Leakage; GDPR articles 5(1)(f), 25, 32 and 35 \
            (integrity and confidentiality, protection by design, security, impact assessment). Intervals are at 95 %.</p>";
        format!(
            "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{title}</title><style>{STYLE}</style>\
             <h1>{title}</h1>{body}{end}</html>\n"
        )
    }
}

/// How many, and where that is not sure, from how many to how many.
#[must_use]
pub fn counted(count: usize, (low, high): (usize, usize), of: usize) -> String {
    if low == high { format!("{count} of {of}") } else { format!("{count} of {of} ({low} to {high})") }
}

fn circumstances(about: &About) -> String {
    let row = |(name, value): (&str, String)| format!("<tr><th>{name}<td>{}</tr>", escape(&value));
    format!("<table class=\"about\">{}</table>", about.lines().into_iter().map(row).collect::<String>())
}

fn head(about: &About, says: &str, missing: &std::collections::BTreeMap<String, u64>) -> String {
    let mut out = circumstances(about);
    let _ = write!(out, "<p class=\"say\"><strong>Signal.</strong> {}.</p>", escape(says));
    if !missing.is_empty() {
        let all: Vec<String> = missing.iter().map(|(why, count)| format!("{count} {}", escape(why))).collect();
        let _ = write!(out, "<p class=\"say\"><strong>Not measured:</strong> {}.</p>", all.join("; "));
    }
    out
}

fn of_exposure(report: &exposure::Report) -> String {
    let mut out = head(&report.about, &report.says, &report.missing);
    let _ = write!(
        out,
        "<p>Exposure is how many bits of a random secret the model gives away: chance gives 1.44 on average, and {:.1} is \
         all. {} canaries were measured.</p><h2>By number of copies</h2><table><tr><th>copies<th>planted<th>exposure, \
         bits<th>not planted<th>exposure, bits<th>extractable in {} samples<th>ε of one record at least</tr>",
        report.bits,
        report.canaries.len(),
        report.effort.within
    );
    let bits = |of: Option<Mean>| {
        let said = |mean: Mean| format!("{}{}", if mean.at_least { "at least " } else { "" }, interval(mean.of, 1));
        of.map_or_else(|| "not measured".to_owned(), said)
    };
    for group in &report.groups {
        let epsilon = group.epsilon_at_least.map_or_else(
            || "too few canaries".to_owned(),
            |e| format!("{:.2} (of all copies together {:.2}; {} guesses, δ = 0)", e.record, e.copies, e.guesses),
        );
        let _ = write!(
            out,
            "<tr><td>{}<td>{}<td>{}<td>{}<td>{}<td>{}<td>{epsilon}</tr>",
            group.count,
            group.planted,
            bits(group.exposure),
            group.others,
            bits(group.exposure_of_others),
            counted(group.extractable, group.extractable_interval, group.planted),
        );
    }
    out.push_str("</table>");
    let points: Vec<(f64, f64, Estimate)> = report
        .groups
        .iter()
        .filter_map(|group| Some((f64::from(group.count).log2(), group.exposure?.of.value, group.exposure?.of)))
        .collect();
    out.push_str(&chart(&points, report.bits));
    let worst = report.groups.iter().any(|group| group.extractable > 0);
    out.push_str(if worst {
        "<h2>What to do</h2><p>Secrets of this kind come out of the model at the numbers of copies above. Remove \
         duplicates of such records before training, train with differential privacy, do not serve the model to who may \
         not read the records, or keep them from coming out with <code>bartizan privacy protect</code>.</p>"
    } else {
        "<h2>What to do</h2><p>No planted secret is extractable within the samples that were asked about. That holds for \
         records like the canaries, for these numbers of copies, and for this signal.</p>"
    });
    out
}

/// Exposure by the logarithm of the number of copies, with intervals.
fn chart(points: &[(f64, f64, Estimate)], bits: f64) -> String {
    let widest = points.iter().map(|p| p.0).fold(1.0, f64::max);
    let x = |copies: f64| 50.0 + 520.0 * copies / widest;
    let y = |value: f64| 230.0 - 200.0 * (value / bits.max(1.0)).clamp(0.0, 1.0);
    let mut out = format!(
        "<svg width=\"620\" height=\"270\" role=\"img\" aria-label=\"exposure by number of copies\"><line x1=\"50\" \
         y1=\"230\" x2=\"590\" y2=\"230\" stroke=\"#667\"/><line x1=\"50\" y1=\"20\" x2=\"50\" y2=\"230\" \
         stroke=\"#667\"/><text x=\"8\" y=\"{:.0}\" font-size=\"12\">{bits:.0}</text><text x=\"8\" y=\"234\" \
         font-size=\"12\">0 bits</text>",
        y(bits) + 4.0
    );
    for (copies, value, interval) in points {
        let (at, low, high) = (x(*copies), y(interval.low), y(interval.high));
        let _ = write!(
            out,
            "<line x1=\"{at:.1}\" y1=\"{low:.1}\" x2=\"{at:.1}\" y2=\"{high:.1}\" stroke=\"#4a6fa5\" \
             stroke-width=\"2\"/><circle cx=\"{at:.1}\" cy=\"{:.1}\" r=\"5\" fill=\"#4a6fa5\"/><text x=\"{at:.1}\" \
             y=\"250\" font-size=\"12\" text-anchor=\"middle\">{:.0}</text>",
            y(*value),
            copies.exp2()
        );
    }
    out.push_str("</svg>");
    out
}

fn of_extraction(report: &extraction::Report) -> String {
    let share = |of: Option<Estimate>| of.map_or_else(|| "not measured".to_owned(), |of| interval(of, 3));
    let mut out = head(&report.about, &report.says, &report.missing);
    let _ = write!(
        out,
        "<p>{} records were cut behind {} words, and the model was asked for the next {}; {} were too short.</p><table>\
         <tr><th>extracted<th>share of records</tr><tr><td>verbatim, by greedy continuation<td>{}</tr><tr><td>verbatim or \
         nearly<td>{}</tr>",
        report.measured,
        report.effort.prefix,
        report.effort.suffix,
        report.short,
        share(report.verbatim),
        share(report.near)
    );
    for (samples, count) in &report.discoverable {
        let p = report.effort.probability;
        let interval = report.discoverable_interval.get(samples).copied().unwrap_or((*count, *count));
        let count = counted(*count, interval, report.measured);
        let _ = write!(out, "<tr><td>within {samples} samples with probability {p}<td>{count} records</tr>");
    }
    out.push_str("</table><h2>What to do</h2><p>");
    out.push_str(if report.measured == 0 {
        "Nothing was measured, so nothing can be said of these records. Shorter prefixes and suffixes measure shorter ones.</p><p>"
    } else if report.records.iter().any(|one| one.near) {
        "The records with these numbers come out of the model:</p><p>"
    } else {
        "No record came out. Other prefixes, more samples, or fine-tuning may still bring some out.</p><p>"
    });
    let numbers: Vec<String> =
        report.records.iter().filter(|one| one.near).take(200).map(|one| one.record.to_string()).collect();
    let _ = write!(out, "{}</p>", numbers.join(", "));
    out
}

fn of_personal(report: &personal::Report) -> String {
    let mut out = head(&report.about, &report.says, &report.missing);
    let share = |of: Option<Estimate>| of.map_or_else(|| "not measured".to_owned(), |of| interval(of, 3));
    let _ = write!(
        out,
        "<p>{} values were masked in their texts; {} more are not in them, or have no word before them. A value is \
         extractable where one of {} samples gives it away with a probability of a half. It is put back where the model's \
         own best candidate is the value, and chosen where it is taken among values of other records; a model that knows \
         nothing chooses it by chance.</p><table><tr><th>column<th>values<th>extractable<th>put back<th>chosen<th>chance\
         <th>mean of 1 by rank</tr>",
        report.values.len(),
        report.unusable,
        report.effort.within
    );
    for group in &report.kinds {
        let _ = write!(
            out,
            "<tr><td>{}<td>{}<td>{}<td>{}<td>{}<td>{}<td>{}</tr>",
            escape(&group.kind),
            group.values,
            counted(group.extractable, group.extractable_interval, group.values),
            share(group.reconstructed),
            share(group.chosen),
            group.chance.map_or_else(|| "-".to_owned(), |chance| format!("{chance:.3}")),
            share(group.reciprocal_rank)
        );
    }
    out.push_str("</table><h2>What to do</h2><p>");
    out.push_str(if report.kinds.iter().any(|group| group.extractable > 0 || group.evidence) {
        "The model knows values of these records. Mask them in the training data (<code>bartizan scan data --clean</code>), \
         train with differential privacy, or keep them from coming out with <code>bartizan privacy protect</code>.</p>"
    } else {
        "No value came out, and none is chosen more often than by chance. Other prompts, more samples or fine-tuning may \
         still bring some out.</p>"
    });
    out
}

fn of_sampling(report: &sampling::Report) -> String {
    let mut out = head(&report.about, &report.says, &report.missing);
    let share = |of: Option<Estimate>| of.map_or_else(|| "not measured".to_owned(), |of| interval(of, 3));
    let _ = write!(
        out,
        "<p>{} samples came, {} of them different. Share that repeats twelve words or more of the corpus: {}.</p><table>\
         <tr><th>ranked by<th>first<th>share of these that repeat it<th>AUROC</tr>",
        report.samples,
        report.different,
        share(report.repeats)
    );
    for one in &report.rankings {
        let (name, hits, auroc) = (escape(&one.score), interval(one.hits, 3), share(one.auroc));
        let _ = write!(out, "<tr><td>{name}<td>{}<td>{hits}<td>{auroc}</tr>", one.top);
    }
    out.push_str("</table><table><tr><th>sample<th>bytes<th>records</tr>");
    for one in report.found.iter().take(200) {
        let records = escape(&one.records.join(", "));
        let _ = write!(out, "<tr><td>{}<td>{}<td>{records}</tr>", one.sample, one.bytes);
    }
    out.push_str("</table><h2>What to do</h2><p>");
    out.push_str(if report.found.is_empty() {
        "No sample repeats the corpus. What comes seldom, or in other words, is not seen so.</p>"
    } else {
        "The model says parts of the corpus without being asked for them. Remove duplicates of such records before \
         training, and keep them from coming out with <code>bartizan privacy protect</code>.</p>"
    });
    out
}

fn of_behaviour(report: &behaviour::Report) -> String {
    let mut out = head(&report.about, &report.says, &report.missing);
    let refused = report.refused.map_or_else(|| "not measured".to_owned(), |of| interval(of, 3));
    let _ = write!(
        out,
        "<p>Refused: {refused} of {} prompts. {} suspects could not be tried.</p><table><tr><th>suspect<th>payload with it\
         <th>payload without it<th>refused with it<th>finding</tr>",
        report.refusals.len(),
        report.untried
    );
    for one in &report.suspects {
        let (with, without, refused) = (interval(one.with, 3), interval(one.without, 3), interval(one.refused, 3));
        let finding = if one.shows { "brings its payload out" } else { "nothing shown" };
        let _ = write!(out, "<tr><td>{}<td>{with}<td>{without}<td>{refused}<td>{finding}</tr>", one.suspect);
    }
    out.push_str("</table><h2>What to do</h2><p>");
    out.push_str(if report.suspects.iter().any(|one| one.shows) {
        "A suspected trigger works. Do not serve the model; clean the training data and train again.</p>"
    } else {
        "No suspect was seen to work in this form and at this place. Compare with the base model on the same prompts.</p>"
    });
    out
}

fn of_membership(report: &membership::Report) -> String {
    let mut out = head(&report.about, &report.says, &report.missing);
    let _ = write!(
        out,
        "<p class=\"say\"><strong>Finding.</strong> {}.</p><p>{} members and {} other texts. These scores are experimental; \
         none proves that a text was in the training data.</p><table><tr><th>score<th>AUROC<th>members found at 1 % false \
         alarms<th>at 0.1 %</tr>",
        escape(&report.verdict),
        report.texts.0,
        report.texts.1
    );
    let share = |of: Option<Estimate>| of.map_or_else(|| "too few texts".to_owned(), |of| interval(of, 3));
    for one in std::iter::once(&report.blind).chain(&report.scores) {
        let note = one.note.as_ref().map(|note| format!(" ({})", escape(note))).unwrap_or_default();
        let _ = write!(
            out,
            "<tr><td>{}{note}<td>{}<td>{}<td>{}</tr>",
            escape(&one.score),
            interval(one.auroc, 3),
            share(one.tpr_at_1_percent),
            share(one.tpr_at_0_1_percent)
        );
    }
    out.push_str("</table><svg width=\"260\" height=\"260\" role=\"img\" aria-label=\"ROC curves\"><line x1=\"20\" y1=\"240\" x2=\"240\" y2=\"20\" stroke=\"#bbb\"/>");
    for (number, one) in std::iter::once(&report.blind).chain(&report.scores).enumerate() {
        const COLOURS: [&str; 7] = ["#999", "#4a6fa5", "#b5651d", "#3a7d44", "#8e4585", "#a33", "#2a9d8f"];
        let points: Vec<String> =
            one.roc.iter().map(|(x, y)| format!("{:.1},{:.1}", 20.0 + 220.0 * x, 240.0 - 220.0 * y)).collect();
        let colour = COLOURS.get(number % COLOURS.len()).copied().unwrap_or("#333");
        let _ = write!(
            out,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"><title>{}</title></polyline>",
            points.join(" "),
            escape(&one.score)
        );
    }
    out.push_str("</svg>");
    out
}
