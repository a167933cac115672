//! Where the names of files lead that archives and models hold.

/// A name that leads out of the folder.
pub(crate) fn leads_out(name: &str) -> bool {
    let absolute = name.starts_with(['/', '\\']) || name.get(1..3).is_some_and(|c| c == ":\\" || c == ":/");
    absolute || name.split(['/', '\\']).any(|part| part == "..")
}

/// A name that leads out of the folder, or to another machine.
pub(crate) fn leads_away(name: &str) -> bool {
    leads_out(name) || name.contains("://")
}
