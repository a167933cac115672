import { useState } from "preact/hooks";
import { lookAtAll, type Result, type Results as Listing, type Share, type WholeResult } from "./api";
import { Badge, Facts, Page, Time, Waiting, useLoaded } from "./ui";

/** Pages of results: which stage, and what stands above them. */
export const STAGES = {
  models: { title: "Models", stage: "models", about: "Scans, signatures, bills of materials and chains of custody of model files." },
  data: { title: "Data sets", stage: "data", about: "Scans of training and retrieval data: poisoning, secrets, personal data, copies." },
  infrastructure: { title: "Infrastructure", stage: "infrastructure", about: "Configurations of servers and jobs, and questions to model servers." },
  redteam: { title: "Red team", stage: "red-team", about: "Attacks on this system: how many worked, by family and by way of writing." },
  privacy: { title: "Privacy", stage: "privacy", about: "What a model has memorised: canaries, extraction, membership." },
} as const;

export type StageId = keyof typeof STAGES;

const STATES: Record<string, [string, string]> = {
  good: ["allow", "good"],
  weak: ["redact", "weak"],
  open: ["deny", "open"],
};

const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);

/** A number with its noun. */
export const many = (count: number, noun: string) => `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;

const HEADINGS: Record<string, string> = { total: "Altogether", harmless: "Harmless requests" };

export function State({ of }: { of: string }) {
  const [kind, says] = STATES[of] ?? ["", of];
  return <Badge kind={kind}>{says}</Badge>;
}

export function StagePage({ id }: { id: StageId }) {
  const { title, stage, about } = STAGES[id];
  return (
    <Page title={title}>
      <p class="quiet">{about}</p>
      <ResultTable page={id} stage={stage} />
    </Page>
  );
}

/** Results of a stage, page by page. */
export function ResultTable({ page, stage }: { page: string; stage: string }) {
  const [after, setAfter] = useState(0);
  const all = useLoaded(() => lookAtAll<Listing>("results", { stage, after, limit: 50 }), [stage, after]);
  return (
    <Waiting of={all}>
      {(found) => (
        <>
          {found.results.length ? (
            <table>
              <caption class="quiet">
                {many(found.total, "result")} in <code>{found.folder}</code>
              </caption>
              <thead>
                <tr>
                  <th scope="col">Made</th>
                  <th scope="col">What</th>
                  <th scope="col">Stands</th>
                  <th scope="col">Result</th>
                  <th scope="col">File</th>
                </tr>
              </thead>
              <tbody>
                {found.results.map((one) => (
                  <tr key={one.id}>
                    <td>
                      <Time at={one.made} />
                    </td>
                    <td>
                      <a href={`#/${page}/${encodeURIComponent(one.id)}`}>{one.says}</a>
                    </td>
                    <td>
                      <State of={one.state} />
                    </td>
                    <td class="wide">
                      {one.summary}
                      {one.caveat ? <p class="quiet">{one.caveat}</p> : null}
                    </td>
                    <td class="wide">{one.source}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          ) : (
            <NoResults found={found} />
          )}
          <div class="row">
            {after > 0 ? <button onClick={() => setAfter(Math.max(0, after - 50))}>Newer</button> : null}
            {found.next !== null ? <button onClick={() => setAfter(found.next ?? 0)}>Older</button> : null}
          </div>
          {found.unread.length ? (
            <details>
              <summary>{`${many(found.unread.length, "file")} of the folder without a result`}</summary>
              <ul>
                {found.unread.map((reason, index) => (
                  <li key={index}>{reason}</li>
                ))}
              </ul>
            </details>
          ) : null}
        </>
      )}
    </Waiting>
  );
}

function NoResults({ found }: { found: Listing }) {
  const commands = [...new Map(found.makers.map((one) => [one.command, one.says])).entries()];
  return (
    <div class="empty">
      {found.folder === null ? (
        <p>
          No folder of results is configured. Set <code>results = "results"</code> in <code>[console]</code>, and write results
          there:
        </p>
      ) : (
        <p>
          Nothing of this stage is in <code>{found.folder}</code> yet. Results are written there with:
        </p>
      )}
      <ul class="commands">
        {commands.map(([command, says]) => (
          <li key={command}>
            <code>{command.includes("--format") ? command : `${command} … --format json`}</code> <span class="quiet">{says}</span>
          </li>
        ))}
      </ul>
    </div>
  );
}

export function ResultPage({ page, id }: { page: StageId | "tools"; id: string }) {
  const whole = useLoaded(() => lookAtAll<WholeResult>(`results/${encodeURIComponent(id)}`), [id]);
  const stage = page === "tools" ? "tools" : STAGES[page].stage;
  return (
    <Page title={capital(whole.value?.result.says ?? "result")} aside={<a href={`#/${page}`}>all results</a>}>
      <Waiting of={whole}>
        {({ result, detail }) => (
          <>
            <Facts
              rows={[
                ["Stands", <State of={result.state} />],
                ["Result", result.summary],
                ["But", result.caveat],
                ["Made", <Time at={result.made} />],
                ["File", result.source],
                ["SHA-256", result.sha256 ? <code>{result.sha256}</code> : ""],
                ...detail.facts.slice(0, 60).map(([name, says]) => [name, says] as [string, string]),
              ]}
            />
            {detail.shares.length ? <Shares stage={stage} result={result} shares={detail.shares} /> : null}
            {detail.findings.length ? <Findings of={detail.findings} found={detail.found} /> : null}
          </>
        )}
      </Waiting>
    </Page>
  );
}

/** Findings, without the columns that say nothing. */
function Findings({ of, found }: { of: WholeResult["detail"]["findings"]; found: number }) {
  const severity = of.some((one) => one.severity);
  const says = of.some((one) => one.says);
  return (
    <section>
      <h2>Findings</h2>
      <table>
        <caption class="quiet">
          {of.length < found ? `the first ${of.length} of ${found.toLocaleString("en")}` : many(found, "finding")}
        </caption>
        <thead>
          <tr>
            <th scope="col">Rule</th>
            {severity ? <th scope="col">Severity</th> : null}
            <th scope="col">Where</th>
            {says ? <th scope="col">What</th> : null}
          </tr>
        </thead>
        <tbody>
          {of.map((one, index) => (
            <tr key={index}>
              <td class="rule">{one.rule}</td>
              {severity ? <td>{one.severity ? <Badge kind={one.severity} /> : null}</td> : null}
              <td class="wide">{one.place}</td>
              {says ? <td class="wide">{one.says}</td> : null}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

const percent = (share: number) => `${(share * 100).toFixed(share > 0 && share < 0.1 ? 1 : 0)} %`;

/** Shares with their intervals, and beside them those of another result of the same kind. */
function Shares({ stage, result, shares }: { stage: string; result: Result; shares: Share[] }) {
  const [other, setOther] = useState("");
  const others = useLoaded(() => lookAtAll<Listing>("results", { stage, limit: 200 }), [stage]);
  const before = useLoaded(
    () => (other ? lookAtAll<WholeResult>(`results/${encodeURIComponent(other)}`) : Promise.resolve(undefined)),
    [other],
  );
  const choices = (others.value?.results ?? []).filter((one) => one.kind === result.kind && one.id !== result.id);
  const was = new Map((before.value?.detail.shares ?? []).map((one) => [`${one.group}/${one.name}`, one]));
  const groups = [...new Set(shares.map((one) => one.group))];
  return (
    <section>
      {choices.length ? (
        <form class="inline" onSubmit={(e) => e.preventDefault()}>
          <label>
            Compare with
            <select value={other} onChange={(e) => setOther(e.currentTarget.value)}>
              <option value="">nothing</option>
              {choices.map((one) => (
                <option key={one.id} value={one.id}>
                  {`${one.made} · ${one.source}`}
                </option>
              ))}
            </select>
          </label>
        </form>
      ) : null}
      {groups.map((group) => (
        <div key={group}>
          <h2>{HEADINGS[group] ?? `By ${group}`}</h2>
          <table class="shares">
            <caption class="hidden">{`Shares by ${group}`}</caption>
            <thead>
              <tr>
                <th scope="col">Of</th>
                <th scope="col">Share</th>
                <th scope="col">
                  <span class="hidden">Picture</span>
                </th>
                {was.size ? <th scope="col">Before</th> : null}
              </tr>
            </thead>
            <tbody>
              {shares
                .filter((one) => one.group === group)
                .map((one, index) => {
                  const old = was.get(`${one.group}/${one.name}`);
                  return (
                    <tr key={index}>
                      <td class="wide">{one.name}</td>
                      <td>
                        <strong>{percent(one.value)}</strong> <span class="quiet">{one.counts}</span>
                      </td>
                      <td class="picture">
                        <Bar of={one} before={old} />
                      </td>
                      {was.size ? <td>{old ? `${percent(old.value)} (${old.counts})` : "not there"}</td> : null}
                    </tr>
                  );
                })}
            </tbody>
          </table>
        </div>
      ))}
      <p class="quiet">
        Bars are shares, lines their intervals at 95 %; of a result before, the hollow bar. Whether a difference is more than chance
        says <code>bartizan redteam compare</code>.
      </p>
    </section>
  );
}

function Bar({ of, before }: { of: Share; before?: Share }) {
  const [width, height] = [240, before ? 22 : 14];
  const at = (share: number) => Math.max(0, Math.min(1, share)) * width;
  const text = `${percent(of.value)}${of.low === null || of.high === null ? "" : `, between ${percent(of.low)} and ${percent(of.high)}`}${before ? `; before ${percent(before.value)}` : ""}`;
  return (
    <svg class="bar" viewBox={`0 0 ${width} ${height}`} role="img" aria-label={text}>
      <rect class="ground" x="0" y="2" width={width} height="10" />
      <rect class="deny" x="0" y="2" width={at(of.value)} height="10" />
      {of.low !== null && of.high !== null ? (
        <path class="interval" d={`M${at(of.low)} 7H${at(of.high)}M${at(of.low)} 3V11M${at(of.high)} 3V11`} />
      ) : null}
      {before ? <rect class="before" x="0.5" y="15" width={Math.max(0, at(before.value) - 1)} height="5" /> : null}
    </svg>
  );
}
