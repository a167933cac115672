import type { ComponentChildren } from "preact";
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { Refused } from "./api";

/** What a page asks for: not there yet, there, or refused. */
export interface Loaded<T> {
  value?: T;
  error?: string;
  again: () => void;
}

/** Asks when something of `inputs` changes, and every `every` milliseconds where that is given. */
export function useLoaded<T>(load: () => Promise<T>, inputs: unknown[], every?: number): Loaded<T> {
  const [value, setValue] = useState<T>();
  const [error, setError] = useState<string>();
  const asked = useRef(0);
  const again = useCallback(() => {
    const mine = ++asked.current;
    load().then(
      (found) => {
        if (mine !== asked.current) return;
        setValue(found);
        setError(undefined);
      },
      (failure: unknown) => {
        if (mine !== asked.current) return;
        if (failure instanceof Refused && failure.status === 401) location.reload();
        setError(failure instanceof Error ? failure.message : "something went wrong");
      },
    );
  }, inputs);
  useEffect(() => {
    again();
    if (!every) return;
    const timer = setInterval(() => document.visibilityState === "visible" && again(), every);
    return () => clearInterval(timer);
  }, [again, every]);
  return { value, error, again };
}

export function Page({ title, aside, children }: { title: string; aside?: ComponentChildren; children: ComponentChildren }) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = `${title} · Bartizan`;
    heading.current?.focus();
  }, [title]);
  return (
    <>
      <header class="page">
        <h1 ref={heading} tabIndex={-1}>
          {title}
        </h1>
        <div class="aside">{aside}</div>
      </header>
      {children}
    </>
  );
}

export function Badge({ kind, children }: { kind: string; children?: ComponentChildren }) {
  return <span class={`badge ${kind.replace(/[^a-z]/g, "")}`}>{children ?? kind}</span>;
}

export function Problem({ text }: { text?: string }) {
  return (
    <div role="alert" class={text ? "problem" : "problem none"}>
      {text}
    </div>
  );
}

export function Waiting<T>({ of, children }: { of: Loaded<T>; children: (value: T) => ComponentChildren }) {
  return (
    <>
      <Problem text={of.error} />
      {of.value === undefined ? of.error ? null : <p class="quiet">Loading…</p> : children(of.value)}
    </>
  );
}

export function Empty({ children }: { children: ComponentChildren }) {
  return <p class="empty">{children}</p>;
}

/** A time of a record, in the reader's zone; the exact one is in the title. */
export function Time({ at }: { at: string | number }) {
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return <>{String(at)}</>;
  const two = (n: number) => String(n).padStart(2, "0");
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return (
    <time dateTime={date.toISOString()} title={date.toISOString()}>
      {day} {time}
    </time>
  );
}

export function Facts({ rows }: { rows: [string, ComponentChildren][] }) {
  return (
    <dl class="facts">
      {rows
        .filter(([, value]) => value !== undefined && value !== null && value !== "")
        .map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
    </dl>
  );
}

/** Asks for the reason of a change, which goes on record, and carries it out. */
export function WithReason({
  label,
  act,
  danger,
  children,
}: {
  label: string;
  act: (reason: string) => Promise<unknown>;
  danger?: boolean;
  children?: ComponentChildren;
}) {
  const [reason, setReason] = useState("");
  const [error, setError] = useState<string>();
  const [busy, setBusy] = useState(false);
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    setBusy(true);
    try {
      await act(reason);
      setReason("");
      setError(undefined);
    } catch (failure) {
      setError(failure instanceof Error ? failure.message : "it failed");
    }
    setBusy(false);
  };
  return (
    <form class="inline" onSubmit={submit as never}>
      {children}
      <label>
        Reason
        <input required value={reason} onInput={(e) => setReason(e.currentTarget.value)} autocomplete="off" />
      </label>
      <button class={danger ? "danger" : ""} disabled={busy}>
        {label}
      </button>
      <Problem text={error} />
    </form>
  );
}
