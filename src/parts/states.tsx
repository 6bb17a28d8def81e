import { TranslationBundle } from '@jupyterlab/translation';
import { LabIcon } from '@jupyterlab/ui-components';
import React from 'react';

import { MlopsError } from '../api';
import { place } from '../format';

/** Nothing is known yet. */
export function Loading(props: { trans: TranslationBundle }): JSX.Element {
  return (
    <div className="jp-mlops-loading" role="status">
      <span className="jp-mlops-spinner" aria-hidden="true" />
      {props.trans.__('Loading…')}
    </div>
  );
}

/** Nothing is there, and what to do about it. */
export function Empty(props: {
  icon?: LabIcon;
  message: string;
  hint?: string;
  children?: React.ReactNode;
}): JSX.Element {
  const { icon: Icon } = props;
  return (
    <div className="jp-mlops-empty">
      {Icon && <Icon.react tag="span" className="jp-mlops-empty-icon" />}
      <p className="jp-mlops-empty-message">{props.message}</p>
      {props.hint && <p className="jp-mlops-hint">{props.hint}</p>}
      {props.children}
    </div>
  );
}

/** What went wrong, where, how to get on, and its code for those who search. */
export function Problem(props: {
  error: Pick<MlopsError, 'message' | 'fix' | 'code'> & {
    cell?: number | null;
    line?: number | null;
  };
  trans: TranslationBundle;
  onRetry?: () => void;
  onShow?: () => void;
  children?: React.ReactNode;
}): JSX.Element {
  const { error, trans, onRetry, onShow } = props;
  const where = place(error, trans);
  return (
    <div className="jp-mlops-problem" role="alert">
      <p className="jp-mlops-problem-message">{error.message}</p>
      {error.fix && <p className="jp-mlops-fix">{error.fix}</p>}
      {props.children}
      <div className="jp-mlops-problem-foot">
        <code title={trans.__('Code of this error')}>{error.code}</code>
        <span className="jp-mlops-spacer" />
        {onShow && where && (
          <Action onClick={onShow}>{trans.__('Go to %1', where)}</Action>
        )}
        {onRetry && <Action onClick={onRetry}>{trans.__('Retry')}</Action>}
      </div>
    </div>
  );
}

/** A button with words, as JupyterLab's own. */
export function Action(props: {
  onClick: () => void;
  children: React.ReactNode;
  primary?: boolean;
  warn?: boolean;
  small?: boolean;
  disabled?: boolean;
  title?: string;
  label?: string;
  icon?: LabIcon;
}): JSX.Element {
  const { icon: Icon } = props;
  const kind = props.primary
    ? 'jp-mod-accept'
    : props.warn
      ? 'jp-mod-warn'
      : 'jp-mod-reject';
  return (
    <button
      className={`jp-mlops-action jp-mod-styled ${kind}`}
      onClick={props.onClick}
      disabled={props.disabled}
      title={props.title}
      aria-label={props.label}
    >
      {Icon && <Icon.react tag="span" />}
      {props.children}
    </button>
  );
}

/** A small button with a picture only; its name is its tooltip. */
export function IconAction(props: {
  icon: LabIcon;
  label: string;
  onClick: () => void;
  disabled?: boolean;
}): JSX.Element {
  const { icon: Icon } = props;
  return (
    <button
      className="jp-mlops-icon-action"
      title={props.label}
      aria-label={props.label}
      disabled={props.disabled}
      onClick={props.onClick}
    >
      <Icon.react tag="span" />
    </button>
  );
}
