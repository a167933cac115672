import { useState } from "preact/hooks";
import { change as post, lookAtAll, mayChange, run, type Beside, type Change, type Levels, type Row, type Rule, type Session, type Thresholds, type Tried } from "./api";
import { many } from "./results";
import { Badge, Facts, Problem, Time, Waiting, WithReason, useLoaded, type Loaded } from "./ui";

const MEANS = ["off", "allow", "redact", "hold", "deny"] as const;
const SOURCES = ["user", "tool", "document", "memory", "model"];
const SCORED = ["user", "tool", "document"] as const;

/** One line of the form. */
interface Line {
  rule: string;
  from: string;
  confidence: string;
  means: (typeof MEANS)[number];
}

const NEW: Line = { rule: "", from: "", confidence: "low", means: "allow" };

/** A change as an address has it; anything else is none. */
export function changeOf(text: string | null): Change {
  try {
    const read = JSON.parse(text ?? "{}") as Change;
    const rows = Array.isArray(read.rows) ? read.rows.filter((row) => typeof row?.rule === "string") : [];
    const disabled = Array.isArray(read.disabled) ? read.disabled.filter((rule) => typeof rule === "string") : [];
    const number = (value: unknown) => (typeof value === "number" ? value : undefined);
    const injection = SCORED.map((from) => {
      const levels = read.injection?.[from];
      return [from, { flag: number(levels?.flag), block: number(levels?.block) }] as const;
    });
    return { rows, disabled, injection: Object.fromEntries(injection) };
  } catch {
    return {};
  }
}

/** The address of the form with a change in it. */
export const addressOf = (change: Change) => `#/rules?change=${encodeURIComponent(JSON.stringify(change))}`;

const lines = (change: Change): Line[] => [
  ...(change.disabled ?? []).map((rule) => ({ ...NEW, rule, means: "off" as const })),
  ...(change.rows ?? []).map((row) => ({
    rule: row.rule,
    from: Array.isArray(row.from) ? row.from.join(",") : "",
    confidence: row.confidence ?? "low",
    means: MEANS.find((one) => one === row.verdict) ?? "allow",
  })),
];

function changeFrom(all: Line[], injection: Record<string, Levels>): Change {
  const named = all.filter((line) => line.rule.trim());
  const rows = named
    .filter((line) => line.means !== "off")
    .map((line): Row => ({
      rule: line.rule.trim(),
      ...(line.from ? { from: line.from.split(",") } : {}),
      ...(line.confidence === "low" ? {} : { confidence: line.confidence }),
      verdict: line.means as Row["verdict"],
    }));
  const disabled = named.filter((line) => line.means === "off").map((line) => line.rule.trim());
  const moved = Object.entries(injection).filter(([, levels]) => levels.flag !== undefined || levels.block !== undefined);
  return {
    ...(rows.length ? { rows } : {}),
    ...(disabled.length ? { disabled } : {}),
    ...(moved.length ? { injection: Object.fromEntries(moved) } : {}),
  };
}

const isEmpty = (change: Change) => Object.keys(change).length === 0;

/** Switches and thresholds that are tried on what is on record. Nothing here is in force. */
export function TryChange({
  begun,
  rules,
  levels,
  who,
  staged,
}: {
  begun: Change;
  rules: Rule[];
  levels: Thresholds;
  who: Session;
  staged: () => void;
}) {
  const [all, setAll] = useState(() => (lines(begun).length ? lines(begun) : [NEW]));
  const [injection, setInjection] = useState<Record<string, Levels>>(begun.injection ?? {});
  const [tried, setTried] = useState<{ change: Change; answer: Tried }>();
  const [error, setError] = useState<string>();
  const [busy, setBusy] = useState(false);
  const change = changeFrom(all, injection);
  const set = (at: number, part: Partial<Line>) => setAll(all.map((line, index) => (index === at ? { ...line, ...part } : line)));
  const submit = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    try {
      setTried({ change, answer: await post<Tried>("policy/effect", change) });
      setError(undefined);
      history.replaceState(null, "", addressOf(change));
    } catch (failure) {
      setTried(undefined);
      setError(failure instanceof Error ? failure.message : "it failed");
    }
    setBusy(false);
  };
  const families = [...new Set(rules.map((one) => `${one.id.split("/")[0]}/*`))];
  return (
    <section class="card">
      <h2>Try a change</h2>
      <p class="quiet">
        Says what it would have made of decisions on record, and gives the lines for <code>bartizan.toml</code>. The gateway goes on as
        it is. The first row that fits a finding decides; these come before those of the file.
      </p>
      <form onSubmit={submit}>
        <datalist id="rules-and-families">
          {[...families, ...rules.map((one) => one.id)].map((id) => (
            <option key={id} value={id} />
          ))}
        </datalist>
        <table class="change">
          <caption class="hidden">Rules of the change</caption>
          <thead>
            <tr>
              <th scope="col">Rule or family</th>
              <th scope="col">In text from</th>
              <th scope="col">At least</th>
              <th scope="col">Becomes</th>
              <th scope="col">
                <span class="hidden">Take out</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {all.map((line, at) => (
              <tr key={at}>
                <td>
                  <input
                    aria-label={`Rule ${at + 1}`}
                    list="rules-and-families"
                    value={line.rule}
                    onInput={(e) => set(at, { rule: e.currentTarget.value })}
                    spellcheck={false}
                    autocomplete="off"
                  />
                </td>
                <td>
                  <select
                    aria-label={`Origin ${at + 1}`}
                    value={line.from}
                    disabled={line.means === "off"}
                    onChange={(e) => set(at, { from: e.currentTarget.value })}
                  >
                    <option value="">anywhere</option>
                    {[...SOURCES, ...(line.from && !SOURCES.includes(line.from) ? [line.from] : [])].map((one) => (
                      <option key={one}>{one}</option>
                    ))}
                  </select>
                </td>
                <td>
                  <select
                    aria-label={`Confidence ${at + 1}`}
                    value={line.confidence}
                    disabled={line.means === "off"}
                    onChange={(e) => set(at, { confidence: e.currentTarget.value })}
                  >
                    <option value="low">any confidence</option>
                    <option value="medium">medium confidence</option>
                    <option value="high">high confidence</option>
                  </select>
                </td>
                <td>
                  <select
                    aria-label={`Verdict ${at + 1}`}
                    value={line.means}
                    onChange={(e) => set(at, { means: e.currentTarget.value as Line["means"] })}
                  >
                    {MEANS.map((one) => (
                      <option key={one}>{one}</option>
                    ))}
                  </select>
                </td>
                <td>
                  <button type="button" aria-label={`Take row ${at + 1} out`} onClick={() => setAll(all.filter((_, index) => index !== at))}>
                    ✕
                  </button>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
        <p>
          <button type="button" onClick={() => setAll([...all, NEW])}>
            Another rule
          </button>
        </p>
        <table class="levels">
          <caption class="quiet">Injection score</caption>
          <thead>
            <tr>
              <th scope="col">Text from</th>
              <th scope="col">Flagged from</th>
              <th scope="col">Denied from</th>
            </tr>
          </thead>
          <tbody>
            {SCORED.map((from) => (
              <tr key={from}>
                <td>{from}</td>
                {(["flag", "block"] as const).map((level) => (
                  <td key={level}>
                    <Threshold
                      label={`${from} ${level === "flag" ? "flagged" : "denied"} from`}
                      now={levels.injection.find((one) => one.from === from)?.[level]}
                      value={injection[from]?.[level]}
                      set={(value) => setInjection({ ...injection, [from]: { ...injection[from], [level]: value } })}
                    />
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
        <button disabled={busy || isEmpty(change)}>Show the effect</button>
      </form>
      <Problem text={error} />
      {tried ? (
        <>
          <Effect answer={tried.answer} />
          <Lines text={tried.answer.toml} />
          {mayChange(who) && !who.tenants.length ? (
            <>
              <h3>Try it on what comes</h3>
              <p class="quiet">
                Beside the policy in force: each record then says what this would have decided, and nothing is done about it. It ends
                with the gateway, or when the file says the same.
              </p>
              <WithReason
                label="Try it on live traffic"
                act={async (reason) => {
                  await run("candidate", { change: tried.change, reason });
                  staged();
                }}
              />
            </>
          ) : null}
        </>
      ) : null}
    </section>
  );
}

/** What is tried beside the policy in force, and what it would have done so far. */
export function Staged({ of, who }: { of: Loaded<Beside>; who: Session }) {
  return (
    <Waiting of={of}>
      {({ tried, staged }) =>
        staged ? (
          <section class="card">
            <h2>Tried beside the policy in force</h2>
            <Facts
              rows={[
                ["By", staged.by],
                ["Reason", staged.reason],
                ["Since", <Time at={staged.since} />],
              ]}
            />
            <SoFar key={staged.since} change={staged.change} since={staged.since} />
            <Lines text={staged.toml} />
            {mayChange(who) ? (
              <WithReason
                label="Try it no longer"
                danger
                act={async (reason) => {
                  await run("candidate/drop", { reason });
                  of.again();
                }}
              />
            ) : null}
          </section>
        ) : tried ? (
          <p>
            The configuration has a candidate; <a href="#/decisions">decisions</a> say what it would have done.
          </p>
        ) : null
      }
    </Waiting>
  );
}

function SoFar({ change, since }: { change: Change; since: string }) {
  const answer = useLoaded(() => post<Tried>("policy/effect", change, { since }), [since], 5000);
  return <Waiting of={answer}>{(found) => <Effect answer={found} />}</Waiting>;
}

/** What an operator of all tenants sees of it; nothing for others. */
export const beside = (who: Session) => (who.tenants.length ? Promise.resolve({ tried: false, staged: null }) : lookAtAll<Beside>("candidate"));

/** A threshold as people read it. */
export const score = (value: number) => String(Number(value.toFixed(4)));

function Threshold({ label, now, value, set }: { label: string; now?: number; value?: number; set: (value?: number) => void }) {
  return (
    <input
      class="threshold"
      type="number"
      aria-label={label}
      min="0"
      max="2"
      step="any"
      placeholder={now === undefined ? "" : score(now)}
      value={value ?? ""}
      onInput={(e) => set(e.currentTarget.value === "" ? undefined : e.currentTarget.valueAsNumber)}
    />
  );
}

function Effect({ answer: { effect } }: { answer: Tried }) {
  const moved = effect.pairs.filter((pair) => pair.live !== pair.changed);
  const count = moved.reduce((sum, pair) => sum + pair.requests + pair.replies, 0);
  const rules = Object.entries(effect.rules).sort(([, a], [, b]) => b - a);
  return (
    <div aria-live="polite">
      <h3>
        {count.toLocaleString("en")} of {many(effect.judged, "decision")} would be another
      </h3>
      <p class="quiet">
        {effect.since ? (
          <>
            The newest on record{effect.cut ? "; there are older ones" : ""}, since <Time at={effect.since} />.{" "}
          </>
        ) : (
          "Nothing is on record. "
        )}
        {effect.untold ? `${many(effect.untold, "record")} do not say what the verdict was made of. ` : ""}
        {effect.others ? `${many(effect.others, "decision")} under profiles of their own were left out. ` : ""}
        Both sides are judged by what was found, the left one by the policy in force now.
      </p>
      {moved.length ? (
        <table class="levels">
          <caption class="hidden">Verdicts that would be others</caption>
          <thead>
            <tr>
              <th scope="col">Now</th>
              <th scope="col">Then</th>
              <th scope="col" class="number">Requests</th>
              <th scope="col" class="number">Replies</th>
            </tr>
          </thead>
          <tbody>
            {moved.map((pair) => (
              <tr key={`${pair.live} ${pair.changed}`}>
                <td>
                  <Badge kind={pair.live} />
                </td>
                <td>
                  <Badge kind={pair.changed} />
                </td>
                <td class="number">{pair.requests.toLocaleString("en")}</td>
                <td class="number">{pair.replies.toLocaleString("en")}</td>
              </tr>
            ))}
          </tbody>
        </table>
      ) : null}
      {rules.length ? <p>Rules that fired in them: {rules.map(([rule, times]) => `${rule} (${times.toLocaleString("en")})`).join(", ")}</p> : null}
      {effect.changed.length ? (
        <details>
          <summary>{effect.changed.length < count ? `The newest ${effect.changed.length} of them` : "Which ones"}</summary>
          <table>
            <caption class="hidden">Decisions that would be others</caption>
            <thead>
              <tr>
                <th scope="col">Time</th>
                <th scope="col">Way</th>
                <th scope="col">Now</th>
                <th scope="col">Then</th>
                <th scope="col">Rules</th>
              </tr>
            </thead>
            <tbody>
              {effect.changed.map((one) => (
                <tr key={one.event}>
                  <td>
                    <a href={`#/decisions/${encodeURIComponent(one.event)}`}>
                      <Time at={one.time} />
                    </a>
                  </td>
                  <td>{one.direction}</td>
                  <td>
                    <Badge kind={one.live} />
                  </td>
                  <td>
                    <Badge kind={one.changed} />
                  </td>
                  <td class="wide">{one.rules.join(", ")}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </details>
      ) : null}
    </div>
  );
}

/** Lines for the configuration. Where a page may not copy, they are marked for copying by hand. */
function Lines({ text }: { text: string }) {
  const [copied, setCopied] = useState(false);
  const copy = async (shown: HTMLElement | null) => {
    try {
      await navigator.clipboard.writeText(text);
      setCopied(true);
    } catch {
      if (shown) getSelection()?.selectAllChildren(shown);
    }
  };
  return (
    <>
      <h3>
        Lines for <code>bartizan.toml</code>
      </h3>
      <pre class="toml">{text}</pre>
      <p>
        <button type="button" onClick={(e) => void copy(e.currentTarget.closest("p")?.previousElementSibling as HTMLElement | null)}>
          Copy the lines
        </button>{" "}
        <span role="status">{copied ? "Copied." : ""}</span>
      </p>
    </>
  );
}
