import { TranslationBundle } from '@jupyterlab/translation';
import React from 'react';

import { KnownPhase, phaseLabel } from '../format';

/** Shapes on a 16 by 16 grid; colour comes from the phase in the style sheet, so that shape and colour both tell. */
const SHAPES: Record<string, JSX.Element> = {
  good: (
    <path
      fillRule="evenodd"
      d="M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1Zm3.6 5.3L7.2 11 4.4 8.3l1-1.1 1.7 1.6 3.4-3.6Z"
    />
  ),
  bad: (
    <path
      fillRule="evenodd"
      d="M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1Zm3.1 9-1.1 1.1-2-2-2 2L4.9 10l2-2-2-2L6 4.9l2 2 2-2L11.1 6l-2 2Z"
    />
  ),
  running: (
    <g fill="none" stroke="currentColor" strokeWidth="2">
      <circle cx="8" cy="8" r="6" opacity="0.25" />
      <path d="M8 2a6 6 0 0 1 6 6" strokeLinecap="round" />
    </g>
  ),
  waiting: (
    <circle
      cx="8"
      cy="8"
      r="6"
      fill="none"
      stroke="currentColor"
      strokeWidth="2"
      strokeDasharray="2.2 2.5"
    />
  ),
  stopped: (
    <path
      fillRule="evenodd"
      d="M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1ZM5.5 5.5h5v5h-5Z"
    />
  ),
  skipped: (
    <path
      fillRule="evenodd"
      d="M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1ZM4.5 7.2h7v1.6h-7Z"
    />
  )
};

const SHAPE_OF: Record<KnownPhase, keyof typeof SHAPES> = {
  Pending: 'waiting',
  Running: 'running',
  Loading: 'running',
  Succeeded: 'good',
  Ready: 'good',
  Failed: 'bad',
  Error: 'bad',
  Stopped: 'stopped',
  Skipped: 'skipped'
};

/** A phase as a small picture; named where no word stands beside it. */
export function PhaseIcon(props: {
  phase: KnownPhase;
  label?: string;
}): JSX.Element {
  const { phase, label } = props;
  return (
    <svg
      className="jp-mlops-phase"
      data-phase={phase}
      viewBox="0 0 16 16"
      width="16"
      height="16"
      fill="currentColor"
      {...(label
        ? { role: 'img', 'aria-label': label }
        : { 'aria-hidden': true })}
    >
      {SHAPES[SHAPE_OF[phase]]}
    </svg>
  );
}

/** A phase as picture and word; changes are announced. */
export function PhasePill(props: {
  phase: KnownPhase;
  trans: TranslationBundle;
}): JSX.Element {
  return (
    <span className="jp-mlops-pill" data-phase={props.phase} role="status">
      <PhaseIcon phase={props.phase} />
      {phaseLabel(props.phase, props.trans)}
    </span>
  );
}
