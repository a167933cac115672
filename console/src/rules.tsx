import { useState } from "preact/hooks";
import { lookAtAll, type Rule, type RulePage as Whole } from "./api";
import { Badge, Empty, Facts, Page, Waiting, useLoaded } from "./ui";

export function Rules() {
  const rules = useLoaded(() => lookAtAll<Rule[]>("rules"), []);
  const [sought, setSought] = useState("");
  return (
    <Page title="Rules">
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
                  <th scope="col">Confidence</th>
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
                    <td>{one.confidence}</td>
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
                ["References", one.references.join(", ")],
              ]}
            />
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
