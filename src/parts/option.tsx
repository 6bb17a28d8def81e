import { TranslationBundle } from '@jupyterlab/translation';
import { JSONExt, PartialJSONValue } from '@lumino/coreutils';
import React, { useEffect, useId, useRef, useState } from 'react';

import {
  Ask,
  IKind,
  IPart,
  Row,
  rowsOf,
  shown,
  typed,
  valueOf
} from '../notebook/options';

/** Milliseconds of rest after which the server is asked whether a value fits. */
const PAUSE = 300;

export interface IOptionProps extends IKind {
  /** Id of the input; JupyterLab makes it from the path of the key. */
  id: string;
  /** The key of the metadata. */
  name: string;
  title: string;
  description: string;
  value: PartialJSONValue | undefined;
  /** `undefined` takes the key out. */
  onChange: (value: PartialJSONValue | undefined) => void;
  ask: Ask;
  trans: TranslationBundle;
}

/** A key of a cell's metadata in a form: its title, its meaning, its value, and what Python says against it. */
export function Option(props: IOptionProps): JSX.Element {
  const { id, title, description, kind, value } = props;
  const rows = kind === 'map' || kind === 'list' ? rowsOf(value, kind) : null;
  const problem = useProblem(props);
  const notes = {
    id,
    'aria-describedby': `${id}-about ${id}-problem`,
    'aria-invalid': problem ? true : undefined
  };
  return (
    <div className="jp-mlops-field jp-mlops-option" data-key={props.name}>
      {rows ? (
        <span id={`${id}-title`}>{title}</span>
      ) : (
        <label htmlFor={id}>{title}</label>
      )}
      <p className="jp-mlops-hint" id={`${id}-about`}>
        {description}
      </p>
      {rows ? (
        <Rows {...props} rows={rows} described={notes['aria-describedby']} />
      ) : (
        <Value {...props} notes={notes} />
      )}
      <p className="jp-mlops-invalid" id={`${id}-problem`} role="status">
        {problem}
      </p>
    </div>
  );
}

/** What the server says against a value; '' while nothing is known, and where there is no server to say it. */
function useProblem(props: IOptionProps): string {
  const { name, value, ask } = props;
  const [problem, setProblem] = useState('');
  const content = JSON.stringify(value);
  useEffect(() => {
    if (content === undefined) {
      setProblem('');
      return;
    }
    let wanted = true;
    const timer = setTimeout(() => {
      ask({ [name]: JSON.parse(content) as unknown }).then(
        unfit => wanted && setProblem(unfit[name] ?? ''),
        () => wanted && setProblem('')
      );
    }, PAUSE);
    return () => {
      wanted = false;
      clearTimeout(timer);
    };
  }, [name, content, ask]);
  return problem;
}

/** A single value: chosen, or typed. */
function Value(props: IOptionProps & { notes: object }): JSX.Element {
  const { kind, choices, value, onChange, notes } = props;
  // The text as it was typed: "2," is one word and becomes two, "1." becomes a number.
  const [text, setText] = useState(() => shown(value));
  const same = JSONExt.deepEqual(
    (typed(text, kind) ?? null) as never,
    (value ?? null) as never
  );
  if (kind === 'choice') {
    const index = (choices ?? []).findIndex(one => one === value);
    return (
      <select
        {...notes}
        className="jp-mod-styled"
        value={value === undefined ? '' : index}
        onChange={event =>
          onChange(
            event.target.value === ''
              ? undefined
              : (choices ?? [])[Number(event.target.value)]
          )
        }
      >
        <option value=""></option>
        {value !== undefined && index < 0 && (
          <option value={-1}>{shown(value)}</option>
        )}
        {(choices ?? []).map((one, at) => (
          <option key={at} value={at}>
            {shown(one)}
          </option>
        ))}
      </select>
    );
  }
  return (
    <input
      {...notes}
      className="jp-mod-styled"
      type="text"
      inputMode={kind === 'number' ? 'numeric' : undefined}
      spellCheck={false}
      autoComplete="off"
      value={same ? text : shown(value)}
      onChange={event => {
        setText(event.target.value);
        onChange(typed(event.target.value, kind));
      }}
    />
  );
}

/** Names of the parts of a mapping. */
function pairs(trans: TranslationBundle): IPart[] {
  return [
    { name: 'name', title: trans.__('Name') },
    { name: 'value', title: trans.__('Value') }
  ];
}

/**
 * Rows of parts. What is typed is kept here, a row that is empty or has no name yet too; the metadata get what counts of it.
 */
function Rows(
  props: IOptionProps & { rows: ReadonlyArray<Row>; described: string }
): JSX.Element {
  const { id, title, kind, parts, value, onChange, described, trans } = props;
  const [drafts, setDrafts] = useState(props.rows);
  const written = useRef(value);
  if (
    !JSONExt.deepEqual(
      (written.current ?? null) as never,
      (value ?? null) as never
    )
  ) {
    // Somebody else changed it: the cell is another one, or a step was joined.
    written.current = value;
    setDrafts(props.rows);
  }
  const set = (rows: ReadonlyArray<Row>) => {
    setDrafts(rows);
    written.current = valueOf(rows, kind);
    onChange(written.current);
  };
  return (
    <div
      className="jp-mlops-rows"
      role="group"
      aria-labelledby={`${id}-title`}
      aria-describedby={described}
    >
      {drafts.map((row, at) => (
        <div
          className="jp-mlops-row"
          role="group"
          aria-label={trans.__('%1 %2', title, at + 1)}
          key={at}
        >
          {(parts ?? pairs(trans)).map(part => (
            <Part
              key={part.name}
              part={part}
              value={row[part.name]}
              onChange={item =>
                set(
                  drafts.map((one, i) =>
                    i === at ? { ...one, [part.name]: item } : one
                  )
                )
              }
            />
          ))}
          <button
            type="button"
            className="jp-mod-styled jp-mod-reject"
            aria-label={trans.__('Remove %1 %2', title, at + 1)}
            onClick={() => set(drafts.filter((_, i) => i !== at))}
          >
            {trans.__('Remove')}
          </button>
        </div>
      ))}
      <button
        type="button"
        id={id}
        className="jp-mod-styled jp-mod-reject"
        aria-label={trans.__('Add to %1', title)}
        onClick={() => set([...drafts, {}])}
      >
        {trans.__('Add')}
      </button>
    </div>
  );
}

/** One part of a row. */
function Part(props: {
  part: IPart;
  value: PartialJSONValue | undefined;
  onChange: (value: PartialJSONValue) => void;
}): JSX.Element {
  const { part, value, onChange } = props;
  const id = useId();
  return (
    <>
      <label htmlFor={id}>{part.title}</label>
      {part.flag ? (
        <input
          id={id}
          type="checkbox"
          checked={value === true}
          onChange={event => onChange(event.target.checked)}
        />
      ) : part.choices ? (
        <select
          id={id}
          className="jp-mod-styled"
          value={shown(value)}
          onChange={event => onChange(event.target.value)}
        >
          <option value=""></option>
          {value !== undefined && !part.choices.includes(shown(value)) && (
            <option>{shown(value)}</option>
          )}
          {part.choices.map(choice => (
            <option key={choice}>{choice}</option>
          ))}
        </select>
      ) : (
        <input
          id={id}
          className="jp-mod-styled"
          type="text"
          spellCheck={false}
          autoComplete="off"
          value={shown(value)}
          onChange={event => onChange(event.target.value)}
        />
      )}
    </>
  );
}
