import { TranslationBundle } from '@jupyterlab/translation';
import { ISignal } from '@lumino/signaling';
import React, { useEffect, useState } from 'react';

import { MlopsError, asMlopsError } from '../api';
import { Direction, LineageNode } from '../registry';
import { Loading, Problem } from './states';

/** What a tree needs to be drawn. */
export interface ILineage {
  /** Emitted when runs, models or datasets tell something new. */
  changed: ReadonlyArray<ISignal<unknown, unknown>>;
  /** Gets the tree of a version. */
  load: (of: string, direction: Direction) => Promise<LineageNode>;
  openRun: (run: string) => void;
  trans: TranslationBundle;
}

/** Where a version comes from and what was made of it: two lists within lists, which a screen reader reads too. */
export function Lineage(props: { of: string; from: ILineage }): JSX.Element {
  const { of, from } = props;
  const { trans } = from;
  return (
    <div
      className="jp-mlops-lineage"
      role="group"
      aria-label={trans.__('Lineage of %1', of)}
    >
      <Tree of={of} direction="up" from={from} />
      <Tree of={of} direction="down" from={from} />
    </div>
  );
}

function Tree(props: {
  of: string;
  direction: Direction;
  from: ILineage;
}): JSX.Element {
  const { of, direction, from } = props;
  const { trans } = from;
  const [node, setNode] = useState<LineageNode | null>(null);
  const [error, setError] = useState<MlopsError | null>(null);
  const [tries, setTries] = useState(0);
  useEffect(() => {
    const again = () => setTries(tried => tried + 1);
    from.changed.forEach(signal => signal.connect(again));
    return () => {
      from.changed.forEach(signal => signal.disconnect(again));
    };
  }, []);
  useEffect(() => {
    let current = true;
    from.load(of, direction).then(
      found => {
        if (current) {
          setNode(found);
          setError(null);
        }
      },
      reason => current && setError(asMlopsError(reason))
    );
    return () => {
      current = false;
    };
  }, [of, direction, tries]);
  const up = direction === 'up';
  return (
    <>
      <div className="jp-mlops-hint">
        {up ? trans.__('What made it') : trans.__('What was made of it')}
      </div>
      {error && (
        <Problem
          error={error}
          trans={trans}
          onRetry={() => setTries(tries + 1)}
        />
      )}
      {!node && !error && <Loading trans={trans} />}
      {node && up && <Origins node={node} from={from} />}
      {node && <Nodes nodes={node.next} direction={direction} from={from} />}
      {node && !node.next.length && !(up && node.origins.length) && (
        <p className="jp-mlops-lineage-none">
          {up
            ? trans.__('Nothing is told of it: runs tell that, when they end.')
            : trans.__('Nothing, as far as runs tell.')}
        </p>
      )}
    </>
  );
}

function Nodes(props: {
  nodes: ReadonlyArray<LineageNode>;
  direction: Direction;
  from: ILineage;
}): JSX.Element {
  const { nodes, direction, from } = props;
  if (!nodes.length) {
    return <></>;
  }
  return (
    <ul className="jp-mlops-lineage-list">
      {nodes.map(node => (
        <li key={`${node.repository}@${node.digest}`}>
          <span className="jp-mlops-lineage-name">
            {node.repository}:{node.tag}
          </span>
          {node.again && (
            <span className="jp-mlops-hint">
              {' '}
              {from.trans.__('(see above)')}
            </span>
          )}
          {node.missing && (
            <span className="jp-mlops-chip">{from.trans.__('deleted')}</span>
          )}
          {direction === 'up' && <Origins node={node} from={from} />}
          <Nodes nodes={node.next} direction={direction} from={from} />
        </li>
      ))}
    </ul>
  );
}

/** What runs said of how a version was made. */
function Origins(props: { node: LineageNode; from: ILineage }): JSX.Element {
  const { node, from } = props;
  const { trans } = from;
  return (
    <>
      {node.origins.map((origin, index) => {
        const { run, notebook, commit, dirty, parameters } = origin as {
          run?: string;
          notebook?: string;
          commit?: string;
          dirty?: boolean;
          parameters?: Record<string, unknown>;
        };
        const facts = [
          notebook,
          commit &&
            (dirty
              ? trans.__('commit %1, with changes since', commit.slice(0, 12))
              : trans.__('commit %1', commit.slice(0, 12))),
          ...Object.entries(parameters ?? {}).map(
            ([name, value]) => `${name} = ${JSON.stringify(value)}`
          )
        ].filter(Boolean);
        return (
          <div className="jp-mlops-hint" key={index}>
            {run && (
              <button
                className="jp-mlops-link"
                title={run}
                onClick={() => from.openRun(run)}
              >
                {trans.__('run %1', run)}
              </button>
            )}
            {facts.map(fact => (
              <span key={String(fact)}> · {fact}</span>
            ))}
          </div>
        );
      })}
    </>
  );
}
