import { useState } from "preact/hooks";
import { look, lookAtAll, type Rule, type RulePage as Whole, type Session, type Tally, type Thresholds, type Verdict } from "./api";
import { Staged, TryChange, addressOf, beside, changeOf, score } from "./change";
import { Badge, Empty, Facts, Page, Waiting, useLoaded } from "./ui";

export function Rules({ query, who }: { query: URLSearchParams; who: Session }) {
  const rules = useLoaded(() => lookAtAll<Rule[]>("rules"), []);
  const levels = useLoaded(() => lookAtAll<Thresholds>("thresholds"), []);
  const tally = useLoaded(() => look<Tally>("tally", { hours: 720 }), []);
  const [sought, setSought] = useState("");
  const fired = tally.value?.rules;
  const begun = query.get("change");
  const candidate = useLoaded(() => beside(who), []);
  return (
    <Page title="Rules">
      <p class="quiet">
        What each rule means where a text is from, as <code>[policy]</code> has it, and in how many decisions of the last 30 days it
        fired. Rules are switched and thresholds moved in <code>bartizan.toml</code>; a running gateway takes the file over.
      </p>
      {rules.value && levels.value ? (
        <details open={begun !== null}>
          <summary>Switch rules and move thresholds…</summary>
          <TryChange
            key={begun ?? ""}
            begun={changeOf(begun)}
            rules={rules.value}
            levels={levels.value}
            who={who}
            staged={candidate.again}
          />
        </details>
      ) : null}
      <Staged of={candidate} who={who} />
      {levels.value ? <Levels of={levels.value} /> : null}
      <form role="search" onSubmit={(e) => e.preventDefault()}>
        <label>
          Find
          <input type="search" value={sought} onInput={(e) => setSought(e.currentTarget.value.toLowerCase())} />
        </label>
      </form>
      <Waiting of={rules}>
        {(all) => {
          const fit = all.filter((one) => `${one.id} ${one.summary}`.toLowerCase().includes(sought));
          if (!fit.length) return <Empty>No rule fits.</Empty>;
          return (
            <table>
              <caption class="quiet">{fit.length} rules in force</caption>
              <thead>
                <tr>
                  <th scope="col">Rule</th>
                  <th scope="col">Severity</th>
                  <th scope="col">Means</th>
                  <th scope="col" class="number">
                    Decisions{tally.value?.cut ? " (newest 200,000)" : ""}
                  </th>
                  <th scope="col">What it finds</th>
                </tr>
              </thead>
              <tbody>
                {fit.map((one) => (
                  <tr key={one.id}>
                    <td>
                      <a href={`#/rules/${one.id}`}>{one.id}</a>
                    </td>
                    <td>
                      <Badge kind={one.severity} />
                    </td>
                    <td>
                      <Verdicts of={one.verdicts} />
                    </td>
                    <td class="number">
                      {fired?.[one.id] ? (
                        <a href={`#/decisions?rule=${encodeURIComponent(one.id)}`}>{fired[one.id]?.toLocaleString("en")}</a>
                      ) : (
                        "0"
                      )}
                    </td>
                    <td class="wide">{one.summary}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          );
        }}
      </Waiting>
    </Page>
  );
}

/** What a rule means: one word where it means the same everywhere. */
function Verdicts({ of }: { of: Record<string, Verdict> }) {
  const by = new Map<Verdict, string[]>();
  for (const [from, verdict] of Object.entries(of)) by.set(verdict, [...(by.get(verdict) ?? []), from]);
  return (
    <ul class="verdicts">
      {[...by].map(([verdict, from]) => (
        <li key={verdict}>
          <Badge kind={verdict} /> {by.size > 1 ? <span class="quiet">{from.join(", ")}</span> : null}
        </li>
      ))}
    </ul>
  );
}

function Levels({ of }: { of: Thresholds }) {
  return (
    <table class="levels">
      <caption class="quiet">Thresholds of the injection score</caption>
      <thead>
        <tr>
          <th scope="col">Text from</th>
          <th scope="col" class="number">Flagged from</th>
          <th scope="col" class="number">Denied from</th>
        </tr>
      </thead>
      <tbody>
        {of.injection.map((one) => (
          <tr key={one.from}>
            <td>{one.from}</td>
            <td class="number">{score(one.flag)}</td>
            <td class="number">{score(one.block)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

export function RulePage({ id }: { id: string }) {
  const rule = useLoaded(() => lookAtAll<Whole>(`rules/${id}`), [id]);
  return (
    <Page title={id} aside={<a href={`#/decisions?rule=${encodeURIComponent(id)}`}>decisions in which it fired</a>}>
      <Waiting of={rule}>
        {(one) => (
          <>
            <Facts
              rows={[
                ["Severity", <Badge kind={one.severity} />],
                ["Confidence", one.confidence],
                ["Means", <Verdicts of={one.verdicts} />],
                ["References", one.references.join(", ")],
              ]}
            />
            <p>
              <a href={addressOf({ disabled: [one.id] })}>What if it were off, or meant something else?</a>
            </p>
            <Markdown text={one.page} />
          </>
        )}
      </Waiting>
    </Page>
  );
}

/** The little of Markdown that rule pages use. Everything becomes text nodes. */
function Markdown({ text }: { text: string }) {
  const out = [];
  let code: string[] | undefined;
  let words: string[] = [];
  const flush = () => {
    if (words.length) out.push(<p>{inline(words.join(" "))}</p>);
    words = [];
  };
  for (const line of text.split("\n")) {
    if (line.startsWith("```")) {
      flush();
      if (code) out.push(<pre>{code.join("\n")}</pre>);
      else if (line.length > 3) out.push(<p class="quiet">{line.slice(3)}</p>);
      code = code ? undefined : [];
    } else if (code) code.push(line);
    else if (line.startsWith("# ")) continue;
    else if (line.startsWith("## ")) {
      flush();
      out.push(<h2>{line.slice(3)}</h2>);
    } else if (/^[-*] /.test(line)) {
      flush();
      out.push(<p class="item">{inline(line.slice(2))}</p>);
    } else if (line.trim()) words.push(line.trim());
    else flush();
  }
  flush();
  return <article>{out}</article>;
}

function inline(text: string) {
  return text.split(/(`[^`]+`)/).map((part) => (part.startsWith("`") && part.length > 2 ? <code>{part.slice(1, -1)}</code> : part));
}
