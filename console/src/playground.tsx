import { useState } from "preact/hooks";
import { run, type Finding, type Tested } from "./api";
import { Badge, Facts, Page, Problem } from "./ui";

const ORIGINS = ["user", "tool", "document", "model", "system"];

export function Playground() {
  const [text, setText] = useState("");
  const [origin, setOrigin] = useState("user");
  const [talk, setTalk] = useState(false);
  const [tested, setTested] = useState<{ text: string; talk: boolean; answer: Tested }>();
  const [error, setError] = useState<string>();
  const [busy, setBusy] = useState(false);
  const submit = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    try {
      const answer = await run<Tested>("check", talk ? { messages: JSON.parse(text) as unknown } : { text, origin });
      setTested({ text, talk, answer });
      setError(undefined);
    } catch (failure) {
      setTested(undefined);
      setError(failure instanceof Error ? failure.message : "it failed");
    }
    setBusy(false);
  };
  return (
    <Page title="Playground">
      <p class="quiet">What the guard in force says of a text. Nothing is recorded or sent anywhere.</p>
      <form onSubmit={submit}>
        <label>
          {talk ? "Messages, a JSON list in OpenAI chat form" : "Text"}
          <textarea rows={8} value={text} onInput={(e) => setText(e.currentTarget.value)} spellcheck={false} required />
        </label>
        <div class="row">
          <label>
            From
            <select value={origin} disabled={talk} onChange={(e) => setOrigin(e.currentTarget.value)}>
              {ORIGINS.map((one) => (
                <option key={one}>{one}</option>
              ))}
            </select>
          </label>
          <label class="check">
            <input type="checkbox" checked={talk} onChange={(e) => setTalk(e.currentTarget.checked)} /> It is a conversation
          </label>
          <button disabled={busy}>Check</button>
        </div>
      </form>
      <Problem text={error} />
      {tested ? <Answer {...tested} /> : null}
    </Page>
  );
}

function Answer({ text, talk, answer }: { text: string; talk: boolean; answer: Tested }) {
  return (
    <section aria-live="polite">
      <h2>
        Verdict <Badge kind={answer.verdict} />
      </h2>
      <Facts
        rows={[
          ...Object.entries(answer.scores).map(([name, score]): [string, string | undefined] => [name, score == null ? undefined : score.toFixed(3)]),
          ["Read", answer.coverage.status],
          ...answer.coverage.parts.map((part): [string, string] => [`${part.kind} not read`, `${part.reason}, ${part.bytes} bytes`]),
        ]}
      />
      {answer.findings.length ? (
        <table>
          <caption class="hidden">Findings</caption>
          <thead>
            <tr>
              <th scope="col">Rule</th>
              <th scope="col">Severity</th>
              <th scope="col">Confidence</th>
              <th scope="col">Type</th>
              <th scope="col">Where</th>
            </tr>
          </thead>
          <tbody>
            {answer.findings.map((one, index) => (
              <tr key={index}>
                <td>
                  <a href={`#/rules/${one.rule}`}>{one.rule}</a>
                </td>
                <td>
                  <Badge kind={one.severity} />
                </td>
                <td>{one.confidence}</td>
                <td>{one.type}</td>
                <td>
                  {one.path ? <code>{one.path}</code> : null} {one.start}–{one.end}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      ) : (
        <p>Nothing was found{answer.coverage.status === "complete" ? "" : " in what was read"}.</p>
      )}
      {talk ? null : (
        <>
          <h3>The text</h3>
          <pre>{marked(text, answer.findings)}</pre>
        </>
      )}
      {answer.redacted === null ? null : (
        <>
          <h3>What would be passed on</h3>
          <pre>{answer.redacted}</pre>
        </>
      )}
      {answer.views.map((view, index) => (
        <div key={index}>
          <h3>
            Read as <code>{view.view}</code>
            {view.depth ? `, ${view.depth} encoding${view.depth > 1 ? "s" : ""} taken off` : ""}
          </h3>
          <pre>{view.text}</pre>
        </div>
      ))}
    </section>
  );
}

/** The text with its findings marked. Places are counted in code points; those within another are part of it. */
function marked(text: string, findings: Finding[]) {
  const points = [...text];
  const places = findings.filter((one) => !one.path).sort((a, b) => a.start - b.start || b.end - a.end);
  const out = [];
  let at = 0;
  for (const { start, end, rule } of places) {
    if (start < at || end <= start) continue;
    out.push(points.slice(at, start).join(""));
    out.push(<mark title={rule}>{points.slice(start, end).join("")}</mark>);
    at = end;
  }
  out.push(points.slice(at).join(""));
  return out;
}
