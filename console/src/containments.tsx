import { useState } from "preact/hooks";
import { change, look, mayChange, type Containment, type Session } from "./api";
import { Empty, Page, Time, Waiting, WithReason, useLoaded } from "./ui";

const TARGETS = ["key", "tool", "server", "model", "tenant"];

export function Containments({ who }: { who: Session }) {
  const open = useLoaded(() => look<Containment[]>("containments"), [], 5000);
  const changes = mayChange(who);
  const [target, setTarget] = useState("key");
  const [name, setName] = useState("");
  const [minutes, setMinutes] = useState(60);
  return (
    <Page title="Containment">
      <p class="quiet">What is cut off for a while: a running gateway refuses it within a second.</p>
      {changes ? (
        <WithReason
          danger
          label="Cut off"
          act={async (reason) => {
            await change("containments", { target, name, ttl_s: minutes * 60, reason });
            setName("");
            open.again();
          }}
        >
          <label>
            What
            <select value={target} onChange={(e) => setTarget(e.currentTarget.value)}>
              {TARGETS.map((one) => (
                <option key={one}>{one}</option>
              ))}
            </select>
          </label>
          <label>
            Name
            <input required value={name} onInput={(e) => setName(e.currentTarget.value)} autocomplete="off" spellcheck={false} />
          </label>
          <label>
            Minutes
            <input type="number" min={1} max={43200} required value={minutes} onInput={(e) => setMinutes(Number(e.currentTarget.value))} />
          </label>
        </WithReason>
      ) : null}
      <Waiting of={open}>
        {(all) =>
          all.length ? (
            <table>
              <caption class="hidden">What is cut off</caption>
              <thead>
                <tr>
                  <th scope="col">What</th>
                  <th scope="col">Name</th>
                  <th scope="col">Until</th>
                  <th scope="col">By</th>
                  <th scope="col">Why</th>
                  {changes ? <th scope="col">Let work again</th> : null}
                </tr>
              </thead>
              <tbody>
                {all.map((one) => (
                  <tr key={one.id}>
                    <td>{one.target}</td>
                    <td>{one.name}</td>
                    <td>
                      <Time at={one.until} />
                    </td>
                    <td>{one.actor}</td>
                    <td class="wide">{one.reason}</td>
                    {changes ? (
                      <td>
                        <details>
                          <summary>Release…</summary>
                          <WithReason
                            label={`Release ${one.name}`}
                            act={async (reason) => {
                              await change(`containments/${encodeURIComponent(one.id)}/release`, { reason });
                              open.again();
                            }}
                          />
                        </details>
                      </td>
                    ) : null}
                  </tr>
                ))}
              </tbody>
            </table>
          ) : (
            <Empty>Nothing is cut off.</Empty>
          )
        }
      </Waiting>
    </Page>
  );
}
