//! The machine beside CPython, on streams that are generated anew: what the unpickler of C asks for, the machine has
//! to have seen, and where CPython reads a stream to its end, the machine has to.

use std::collections::HashSet;
use std::process::Command;

use super::machine::{End, Machine};

/// Streams of one run.
const STREAMS: usize = 2000;

#[test]
#[allow(clippy::disallowed_methods, reason = "the reference is another program")]
fn the_machine_sees_all_that_cpython_does() {
    let python = Command::new("python3")
        .args(["-I", "-c", include_str!("differential.py"), "20261123", &STREAMS.to_string()])
        .output();
    let Ok(output) = python else {
        assert!(std::env::var_os("CI").is_none(), "python3 is a component of the gate");
        return;
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8(output.stdout).unwrap();
    let (mut whole, mut asked_for) = (0, 0);
    for line in said.lines() {
        let fields: Vec<&str> = line.split(' ').collect();
        let [hex, end, loaded, asked] = fields[..] else { panic!("{line}") };
        let bytes: Vec<u8> =
            (0..hex.len() / 2).map(|n| u8::from_str_radix(&hex[2 * n..2 * n + 2], 16).unwrap()).collect();
        let mut machine = Machine::new(&bytes, 0, 1 << 20, 1 << 20);
        let (how, _) = machine.run();
        let seen: HashSet<&str> = machine.globals.keys().map(String::as_str).collect();
        for name in asked.split(';').filter(|a| *a != "-") {
            let name = name.replacen('|', "\n", 1);
            assert!(seen.contains(name.as_str()), "{name:?} was not seen: {line}");
            asked_for += 1;
        }
        if loaded != "-1" {
            // Frames may end later than the stream: the machine counts what it read.
            assert_eq!(how, End::Stop, "CPython reads it to its end: {line}");
            whole += 1;
            if end != "-1" {
                assert_eq!(machine.at.to_string(), end, "it ends elsewhere: {line}");
            }
        }
        if how == End::Stop && end != "-1" {
            assert_eq!(machine.at.to_string(), end, "the disassembler ends elsewhere: {line}");
        }
    }
    assert!(whole > STREAMS / 4 && asked_for > STREAMS / 4, "{whole} whole, {asked_for} names: too few to say much");
}
