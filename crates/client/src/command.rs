//! A program that stands for a model: started for each question, so that nothing of one is left for the next.
//!
//! It gets one JSON object on standard input, `{"model", "messages", "tools", "mcp"}` in OpenAI's form, and answers on standard
//! output: either one JSON object with `text` and perhaps `tool_calls`, or plain text.

use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::ask::{Answer, Ask, Reply, Usage};
use crate::failure::{Failure, FailureKind};
use crate::openai;
use crate::said;

/// How long a program may take to end once its output has: a busy machine is slow to reap it.
const GRACE: Duration = Duration::from_secs(2);

/// Asks it. Blocks for up to `patience`.
pub(crate) fn run(
    command: &[String],
    ask: &Ask,
    model: &str,
    patience: Duration,
    most: usize,
) -> Result<Answer, Failure> {
    let failed = |why: String| Failure::new(FailureKind::Command, why);
    let (program, arguments) = command.split_first().ok_or_else(|| failed("there is no command".to_owned()))?;
    let (_, mut question) = openai::encode(ask, model, ask.max_tokens.unwrap_or(0), None);
    if let Some(all) = question.as_object_mut() {
        all.remove("max_tokens");
        if let Some(mcp) = &ask.mcp {
            all.insert("mcp".to_owned(), Value::from(mcp.as_str()));
        }
    }
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|e| failed(format!("`{program}` cannot be started: {e}")))?;
    let (input, output) = (child.stdin.take(), child.stdout.take());
    let (send, answer) = mpsc::channel();
    let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    std::thread::spawn(move || {
        // A program that does not read its input says so by what it answers.
        if let Some(mut input) = input {
            let _ = input.write_all(question.to_string().as_bytes());
        }
        let mut bytes = Vec::new();
        let read = output.map(|output| output.take(limit).read_to_end(&mut bytes));
        let _ = send.send(matches!(read, Some(Ok(_))).then_some(bytes));
    });
    let Ok(bytes) = answer.recv_timeout(patience) else {
        end(&mut child);
        return Err(Failure::new(FailureKind::Timeout, format!("`{program}` did not answer in time")));
    };
    // Its output has ended or is too long; a program that goes on long after that is ended.
    let until = Instant::now() + if bytes.as_ref().is_some_and(|b| b.len() <= most) { GRACE } else { Duration::ZERO };
    let status = match child.try_wait() {
        Ok(Some(status)) => Ok(status),
        _ => loop {
            match child.try_wait() {
                Ok(Some(status)) => break Ok(status),
                Ok(None) if Instant::now() < until => std::thread::sleep(Duration::from_millis(5)),
                _ => {
                    end(&mut child);
                    break Err(failed(format!("`{program}` closed its output and did not end")));
                }
            }
        },
    };
    let bytes = bytes.ok_or_else(|| failed(format!("the output of `{program}` cannot be read")))?;
    if bytes.len() > most {
        return Err(Failure::new(FailureKind::TooLarge, format!("more than {most} bytes")));
    }
    let status = status?;
    if !status.success() {
        return Err(failed(format!("`{program}` ended with {status}")));
    }
    decode(&bytes)
}

fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

fn decode(bytes: &[u8]) -> Result<Answer, Failure> {
    let text = std::str::from_utf8(bytes).map_err(|_| Failure::malformed("not UTF-8"))?.trim_end();
    let usage = Usage { estimated: true, ..Usage::default() };
    let value = serde_json::from_str::<Value>(text).ok();
    // A program hands on what its server said: that is no answer of the model.
    if let Some(body) = value.as_ref().filter(|v| v.get("error").is_some_and(|error| !error.is_null())) {
        let said = said::message(body).unwrap_or_default();
        return Err(Failure::new(FailureKind::Command, "it says that it failed").saying(said));
    }
    let value = value.filter(|v| v.get("text").is_some() || v.get("tool_calls").is_some());
    match value {
        Some(value) => {
            let calls = value["tool_calls"].as_array().into_iter().flatten().filter_map(openai::call).collect();
            let text = value["text"].as_str().unwrap_or_default().to_owned();
            Ok(Answer::Reply(Reply { text, calls, usage, ..Reply::default() }))
        }
        None if text.is_empty() => Err(Failure::malformed("no output")),
        None => Ok(Answer::Reply(Reply { text: text.to_owned(), usage, ..Reply::default() })),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::ask::{Role, Turn};

    fn sh(script: &str, patience: u64) -> Result<Answer, Failure> {
        let ask = Ask::chat(vec![Turn::new(Role::User, "hi")]);
        let command = ["sh".to_owned(), "-c".to_owned(), script.to_owned()];
        run(&command, &ask, "m", Duration::from_millis(patience), 1000)
    }

    #[test]
    fn a_program_answers_in_text_or_json() {
        let echoed = sh("cat", 10_000).unwrap();
        let Answer::Reply(reply) = echoed else { panic!() };
        assert_eq!(
            serde_json::from_str::<Value>(&reply.text).unwrap(),
            json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]})
        );
        let Ok(Answer::Reply(reply)) = sh(r#"echo '{"text":"x","tool_calls":[{"name":"f","arguments":{}}]}'"#, 10_000)
        else {
            panic!()
        };
        assert_eq!((reply.text.as_str(), reply.calls[0].name.as_str()), ("x", "f"));
    }

    #[test]
    fn an_error_that_a_program_prints_is_no_answer() {
        for said in [r#"{"error":{"message":"rate limit exceeded","code":429}}"#, r#"{"error":"down","text":"x"}"#] {
            let failure = sh(&format!("echo '{said}'"), 10_000).unwrap_err();
            assert_eq!(failure.kind, FailureKind::Command, "{failure}");
            assert!(said.contains(&failure.said) && failure.said.len() >= 4, "{failure:?}");
        }
        assert!(sh(r#"echo '{"error":null,"text":"x"}'"#, 10_000).is_ok());
        assert!(sh("echo x; exec >&-; sleep 0.3", 10_000).is_ok());
    }

    #[test]
    fn a_program_that_fails_is_no_reply() {
        let kind = |script: &str| sh(script, 300).unwrap_err().kind;
        assert_eq!(kind("exit 3"), FailureKind::Command);
        assert_eq!(kind("true"), FailureKind::Malformed);
        assert_eq!(kind("exec sleep 20"), FailureKind::Timeout);
        assert_eq!(kind("exec yes"), FailureKind::TooLarge);
        let nothing = run(&["/does/not/exist".to_owned()], &Ask::default(), "m", Duration::from_secs(1), 9);
        assert_eq!(nothing.unwrap_err().kind, FailureKind::Command);
    }
}
