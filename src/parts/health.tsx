import { TranslationBundle } from '@jupyterlab/translation';
import React from 'react';

import { Check, Target } from '../api';

type Health = Target['health'];

/** A shape for each level, so that colour is not needed. */
const SHAPES: Record<Health | 'skip', JSX.Element> = {
  ok: (
    <path
      fillRule="evenodd"
      d="M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1Zm3.6 5.3L7.2 11 4.4 8.3l1-1.1 1.7 1.6 3.4-3.6Z"
    />
  ),
  warn: (
    <path
      fillRule="evenodd"
      d="M8 1 15.5 14.5H.5ZM7.3 6h1.4v4.5H7.3Zm0 5.5h1.4v1.4H7.3Z"
    />
  ),
  fail: (
    <path
      fillRule="evenodd"
      d="M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1Zm3.1 9-1.1 1.1-2-2-2 2L4.9 10l2-2-2-2L6 4.9l2 2 2-2L11.1 6l-2 2Z"
    />
  ),
  unknown: (
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
  skip: (
    <path
      fillRule="evenodd"
      d="M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1ZM4.5 7.2h7v1.6h-7Z"
    />
  )
};

/** Health of a target, or the outcome of a check, in a word. */
export function healthLabel(
  health: Health | Check['level'],
  trans: TranslationBundle
): string {
  switch (health) {
    case 'ok':
      return trans.__('OK');
    case 'warn':
      return trans.__('Works with limits');
    case 'fail':
      return trans.__('Does not work');
    case 'skip':
      return trans.__('Not looked at');
    case 'unknown':
      return trans.__('Not checked');
  }
}

/** Health as a small picture; named where no word stands beside it. */
export function HealthIcon(props: {
  health: Health | Check['level'];
  label?: string;
}): JSX.Element {
  const { health, label } = props;
  return (
    <svg
      className="jp-mlops-phase jp-mlops-health"
      data-health={health}
      viewBox="0 0 16 16"
      width="16"
      height="16"
      fill="currentColor"
      {...(label
        ? { role: 'img', 'aria-label': label }
        : { 'aria-hidden': true })}
    >
      {SHAPES[health]}
    </svg>
  );
}
