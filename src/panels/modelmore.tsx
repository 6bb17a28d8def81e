import { TranslationBundle } from '@jupyterlab/translation';
import React, { useEffect, useState } from 'react';

import { Model, MlopsError, asMlopsError } from '../api';
import { bytes, metric } from '../format';
import { Ago } from '../parts/live';
import { Loading, Problem } from '../parts/states';
import { Differences, ModelEvent } from '../registry';
import { IContext } from '../tokens';

/** What there is to a model besides its versions: what differs between two of them, and who moved its aliases. */
export function ModelMore(props: {
  model: Model;
  context: IContext;
}): JSX.Element {
  const { model, context } = props;
  const { trans } = context;
  const [shown, setShown] = useState<'' | 'compare' | 'history'>('');
  const button = (key: 'compare' | 'history', label: string) => (
    <button
      className="jp-mlops-link"
      aria-expanded={shown === key}
      onClick={() => setShown(shown === key ? '' : key)}
    >
      {label}
    </button>
  );
  return (
    <div className="jp-mlops-more">
      <div className="jp-mlops-row">
        {model.versions.length > 1 &&
          button('compare', trans.__('Compare versions'))}
        {button('history', trans.__('History'))}
      </div>
      {shown === 'compare' && <Compare model={model} context={context} />}
      {shown === 'history' && <History model={model} context={context} />}
    </div>
  );
}

/** What is loaded now, again when something of it is another; `keep` says what it depends on. */
function useLoaded<T>(
  load: () => Promise<T>,
  keep: ReadonlyArray<unknown>
): { value: T | null; error: MlopsError | null; retry: () => void } {
  const [value, setValue] = useState<T | null>(null);
  const [error, setError] = useState<MlopsError | null>(null);
  const [tries, setTries] = useState(0);
  useEffect(() => {
    let current = true;
    load().then(
      found => {
        if (current) {
          setValue(found);
          setError(null);
        }
      },
      reason => {
        if (current) {
          setValue(null);
          setError(asMlopsError(reason));
        }
      }
    );
    return () => {
      current = false;
    };
  }, [...keep, tries]);
  return { value, error, retry: () => setTries(tries + 1) };
}

function Compare(props: { model: Model; context: IContext }): JSX.Element {
  const { model, context } = props;
  const { trans } = context;
  const tags = model.versions.map(version => version.tag);
  const [from, setFrom] = useState(tags[1]);
  const [to, setTo] = useState(tags[0]);
  const { value, error, retry } = useLoaded<Differences>(
    () => context.model.models.differences(model.name, from, to),
    [model, from, to]
  );
  const choice = (label: string, now: string, set: (tag: string) => void) => (
    <label className="jp-mlops-row">
      <span className="jp-mlops-hint">{label}</span>
      <select value={now} onChange={event => set(event.target.value)}>
        {tags.map(tag => (
          <option key={tag}>{tag}</option>
        ))}
      </select>
    </label>
  );
  return (
    <>
      <div className="jp-mlops-row">
        {choice(trans.__('From'), from, setFrom)}
        {choice(trans.__('to'), to, setTo)}
      </div>
      {error && <Problem error={error} trans={trans} onRetry={retry} />}
      {!value && !error && <Loading trans={trans} />}
      {value && value.differences.length === 0 && (
        <p className="jp-mlops-hint">{trans.__('They are the same.')}</p>
      )}
      {value && value.differences.length > 0 && (
        <table
          className="jp-mlops-table jp-mlops-differences"
          aria-label={trans.__('What differs between %1 and %2', from, to)}
        >
          <thead>
            <tr>
              <th scope="col">{trans.__('What')}</th>
              <th scope="col">{from}</th>
              <th scope="col">{to}</th>
            </tr>
          </thead>
          <tbody>
            {value.differences.map(one => (
              <tr key={`${one.part}/${one.name}`}>
                <th scope="row">
                  <span className="jp-mlops-hint">
                    {partLabel(one.part, trans)}
                  </span>{' '}
                  {one.name}
                </th>
                <td title={String(one.before ?? '')}>
                  {shownValue(one.part, one.before)}
                </td>
                <td title={String(one.after ?? '')}>
                  {shownValue(one.part, one.after)}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </>
  );
}

function History(props: { model: Model; context: IContext }): JSX.Element {
  const { model, context } = props;
  const { trans } = context;
  const { value, error, retry } = useLoaded<ReadonlyArray<ModelEvent>>(
    () => context.model.models.history(model.name),
    [model]
  );
  const named = (reference: string) =>
    model.versions.find(({ digest }) => digest === reference)?.tag ??
    (reference.startsWith('sha256:') ? reference.slice(0, 19) : reference);
  return (
    <>
      {error && <Problem error={error} trans={trans} onRetry={retry} />}
      {!value && !error && <Loading trans={trans} />}
      {value && value.length === 0 && (
        <p className="jp-mlops-hint">
          {trans.__('No alias was moved, and no version deleted.')}
        </p>
      )}
      {value && value.length > 0 && (
        <ol
          className="jp-mlops-plain jp-mlops-history"
          aria-label={trans.__('History of %1', model.name)}
        >
          {[...value].reverse().map((event, index) => (
            <li key={index}>
              <div>{happened(event, named, trans)}</div>
              {event.reason && (
                <div className="jp-mlops-reason">{event.reason}</div>
              )}
              <div className="jp-mlops-hint">
                {event.actor ?? ''} ·{' '}
                {event.time && !Number.isNaN(Date.parse(event.time)) && (
                  <Ago time={Date.parse(event.time) / 1000} trans={trans} />
                )}
              </div>
            </li>
          ))}
        </ol>
      )}
    </>
  );
}

function happened(
  event: ModelEvent,
  named: (reference: string) => string,
  trans: TranslationBundle
): string {
  if (event.action === 'delete') {
    return trans.__('%1 was deleted', event.tag ?? '');
  }
  const alias = event.alias ?? '';
  if (!event.to) {
    return trans.__('%1 was taken from %2', alias, named(event.from ?? ''));
  }
  return event.from
    ? trans.__('%1: %2 → %3', alias, named(event.from), named(event.to))
    : trans.__('%1: %2', alias, named(event.to));
}

function partLabel(part: string, trans: TranslationBundle): string {
  const labels: Record<string, string> = {
    metric: trans.__('metric'),
    made: trans.__('made by'),
    package: trans.__('package'),
    input: trans.__('input'),
    output: trans.__('output'),
    file: trans.__('file')
  };
  return labels[part] ?? part;
}

function shownValue(part: string, value: string | number | null): string {
  if (value === null) {
    return '–';
  }
  if (typeof value === 'string') {
    return value.startsWith('sha256:') ? value.slice(7, 13) : value;
  }
  return part === 'file' ? bytes(value) : metric(value);
}
