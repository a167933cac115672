//! The tour: its table is what the README points to.

use std::process::Command;

#[test]
fn the_guard_stops_every_attack_and_no_conversation() {
    let done = Command::new(env!("CARGO_BIN_EXE_bartizan"))
        .arg("demo")
        .current_dir(std::env::temp_dir())
        .env("NO_COLOR", "1")
        .output()
        .expect("it starts");
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success(), "{said}");
    assert!(said.contains("attacks that worked: 11 of 11 without, 0 of 11 with the guard"), "{said}");
    assert!(said.contains("answered in full: 5 of 5 with the guard"), "{said}");
    assert!(said.lines().all(|line| line.chars().count() <= 110), "{said}");
}
