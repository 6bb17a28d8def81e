import { TranslationBundle } from '@jupyterlab/translation';
import React from 'react';

/** Why something waits or failed, as `StepRun.cause` and `Service` tell it. */
export interface ICause {
  readonly message: string;
  readonly blame?: string;
  readonly fix?: string;
  readonly facts?: ReadonlyArray<string>;
}

/** One sentence, who can change it, what to do, and the platform's own words for those who want them. */
export function Cause(props: {
  cause: ICause;
  trans: TranslationBundle;
}): JSX.Element {
  const { cause, trans } = props;
  return (
    <div className="jp-mlops-cause">
      <p className="jp-mlops-cause-message">{cause.message}</p>
      {cause.fix && (
        <p className="jp-mlops-fix">
          <span className="jp-mlops-chip">
            {blameLabel(cause.blame, trans)}
          </span>{' '}
          {cause.fix}
        </p>
      )}
      <ClusterFacts facts={cause.facts ?? []} trans={trans} />
    </div>
  );
}

/** What the cluster said, closed at first. */
export function ClusterFacts(props: {
  facts: ReadonlyArray<string>;
  trans: TranslationBundle;
}): JSX.Element | null {
  const { facts, trans } = props;
  return facts.length === 0 ? null : (
    <details className="jp-mlops-details">
      <summary>{trans.__('Show what the cluster said')}</summary>
      <pre tabIndex={0}>{facts.join('\n')}</pre>
    </details>
  );
}

/** Who can change it. */
export function blameLabel(
  blame: string | undefined,
  trans: TranslationBundle
): string {
  switch (blame) {
    case 'user':
      return trans.__('You can change it');
    case 'us':
      return trans.__('A fault of jupyter-mlops');
    default:
      return trans.__('Up to the platform');
  }
}
