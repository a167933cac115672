import { useState } from "preact/hooks";
import { change, look, mayChange, type ClientKey, type Session } from "./api";
import { Badge, Empty, Page, Problem, Time, Waiting, WithReason, useLoaded } from "./ui";

export function Keys({ who }: { who: Session }) {
  const keys = useLoaded(() => look<ClientKey[]>("keys"), []);
  const changes = mayChange(who);
  return (
    <Page title="Client keys">
      {changes ? <Create done={keys.again} /> : null}
      <Waiting of={keys}>
        {(all) =>
          all.length ? (
            <table>
              <caption class="hidden">Client keys of the tenant</caption>
              <thead>
                <tr>
                  <th scope="col">Name</th>
                  <th scope="col">State</th>
                  <th scope="col">Made</th>
                  <th scope="col">Ends</th>
                  {changes ? <th scope="col">Take back</th> : null}
                </tr>
              </thead>
              <tbody>
                {all.map((one) => (
                  <tr key={one.name + one.created}>
                    <td>{one.name}</td>
                    <td>
                      <Badge kind={one.state} />
                    </td>
                    <td>{one.created ? <Time at={one.created} /> : null}</td>
                    <td>{one.expires ? <Time at={one.expires} /> : "never"}</td>
                    {changes ? (
                      <td>
                        {one.state === "revoked" ? null : (
                          <details>
                            <summary>Revoke…</summary>
                            <WithReason
                              danger
                              label={`Revoke ${one.name}`}
                              act={async (reason) => {
                                await change(`keys/${encodeURIComponent(one.name)}/revoke`, { reason });
                                keys.again();
                              }}
                            />
                          </details>
                        )}
                      </td>
                    ) : null}
                  </tr>
                ))}
              </tbody>
            </table>
          ) : (
            <Empty>No key was made here. Keys of the configuration file are not listed.</Empty>
          )
        }
      </Waiting>
    </Page>
  );
}

function Create({ done }: { done: () => void }) {
  const [name, setName] = useState("");
  const [secret, setSecret] = useState<string>();
  const [error, setError] = useState<string>();
  return (
    <>
      <form
        class="inline"
        onSubmit={(e) => {
          e.preventDefault();
          change<{ secret: string }>("keys", { name }).then(
            (made) => {
              setSecret(made.secret);
              setName("");
              setError(undefined);
              done();
            },
            (failure: Error) => setError(failure.message),
          );
        }}
      >
        <label>
          New key for
          <input required value={name} onInput={(e) => setName(e.currentTarget.value)} autocomplete="off" spellcheck={false} />
        </label>
        <button>Make it</button>
      </form>
      <Problem text={error} />
      {secret ? (
        <div role="status" class="secret">
          <p>The key, shown this once:</p>
          <pre>{secret}</pre>
          <button onClick={() => setSecret(undefined)}>I have it</button>
        </div>
      ) : null}
    </>
  );
}
