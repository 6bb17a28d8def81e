import { TranslationBundle } from '@jupyterlab/translation';
import React from 'react';

import { Diagnostic } from '../api';
import { place } from '../format';

/** What is worst comes first; within one severity the order of the notebook. */
const RANK: Record<Diagnostic['severity'], number> = {
  error: 0,
  warning: 1,
  info: 2
};

/** Findings about a notebook; each leads to its cell and line. */
export function Diagnostics(props: {
  diagnostics: ReadonlyArray<Diagnostic>;
  onShow: (diagnostic: Diagnostic) => void;
  trans: TranslationBundle;
  /** A button of a finding, where one mends it. */
  quick?: (diagnostic: Diagnostic) => JSX.Element | null;
  /** Name of the list, where it is not the findings of a conversion. */
  label?: string;
}): JSX.Element {
  const { diagnostics, onShow, trans } = props;
  const sorted = [...diagnostics].sort(
    (a, b) =>
      RANK[a.severity] - RANK[b.severity] || (a.cell ?? -1) - (b.cell ?? -1)
  );
  return (
    <ul
      className="jp-mlops-diagnostics"
      aria-label={props.label ?? trans.__('Findings')}
    >
      {sorted.map((found, index) => (
        <li key={index} data-severity={found.severity}>
          <SeverityIcon severity={found.severity} trans={trans} />
          <div>
            <p>{found.message}</p>
            {found.fix && <p className="jp-mlops-fix">{found.fix}</p>}
            <p className="jp-mlops-diagnostic-foot">
              {place(found, trans) && (
                <button className="jp-mlops-link" onClick={() => onShow(found)}>
                  {place(found, trans)}
                </button>
              )}
              {props.quick?.(found)}
              <code>{found.code}</code>
            </p>
          </div>
        </li>
      ))}
    </ul>
  );
}

function SeverityIcon(props: {
  severity: Diagnostic['severity'];
  trans: TranslationBundle;
}): JSX.Element {
  const { severity, trans } = props;
  const labels = {
    error: trans.__('Error'),
    warning: trans.__('Warning'),
    info: trans.__('Note')
  };
  return (
    <svg
      className="jp-mlops-severity"
      role="img"
      aria-label={labels[severity]}
      viewBox="0 0 16 16"
      width="16"
      height="16"
      fill="currentColor"
    >
      {severity === 'warning' ? (
        <path
          fillRule="evenodd"
          d="M8 1.6 15.4 14.4H.6Zm-.8 4.6v4h1.6v-4Zm0 5.2V13h1.6v-1.6Z"
        />
      ) : (
        <path
          fillRule="evenodd"
          d={
            severity === 'error'
              ? 'M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1Zm-.8 3.5h1.6v4.6H7.2Zm0 5.6h1.6v1.6H7.2Z'
              : 'M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1Zm-.8 5.9h1.6v4.6H7.2Zm0-2.6h1.6v1.6H7.2Z'
          }
        />
      )}
    </svg>
  );
}
