import { Dialog, showDialog } from '@jupyterlab/apputils';
import { ReactWidget } from '@jupyterlab/ui-components';
import { Message } from '@lumino/messaging';
import React, { useId } from 'react';

/** The body of a dialog: a React form whose value is asked for at the end. */
export class FormBody<T> extends ReactWidget implements Dialog.IBodyWidget<T> {
  constructor(
    private _value: T,
    private _form: (value: T, change: (part: Partial<T>) => void) => JSX.Element
  ) {
    super();
    this.addClass('jp-mlops-form');
  }

  getValue(): T {
    return this._value;
  }

  /**
   * The dialog moves the focus to its first field when the browser is idle, which on a busy one is seconds away. Until then keys would
   * go to the button behind it, and Enter would ask the same once more: so its accepting button has the focus at once. A turn later,
   * since the dialog first notes where the focus was.
   */
  protected override onAfterAttach(msg: Message): void {
    super.onAfterAttach(msg);
    const dialog = this.node.closest('.jp-Dialog');
    void Promise.resolve().then(() =>
      dialog
        ?.querySelector<HTMLElement>('.jp-Dialog-footer .jp-mod-accept')
        ?.focus()
    );
  }

  protected render(): JSX.Element {
    return this._form(this._value, part => {
      this._value = { ...this._value, ...part };
      this.update();
    });
  }
}

/** Ask with a form; null where the person does not go on. */
export async function ask<T>(options: {
  title: string;
  accept: string;
  cancel: string;
  value: T;
  form: (value: T, change: (part: Partial<T>) => void) => JSX.Element;
}): Promise<T | null> {
  const { title, accept, cancel, value, form } = options;
  const result = await showDialog<T>({
    title,
    body: new FormBody(value, form),
    buttons: [
      Dialog.cancelButton({ label: cancel }),
      Dialog.okButton({ label: accept })
    ],
    focusNodeSelector: '.jp-mlops-form select, .jp-mlops-form input'
  });
  return result.button.accept ? result.value : null;
}

/** A text with its label and what it means. */
export function TextField(props: {
  label: string;
  hint?: string;
  value: string;
  placeholder?: string;
  onEnter: (text: string) => void;
  type?: 'text' | 'number';
}): JSX.Element {
  const id = useId();
  const { label, hint, value, placeholder, onEnter, type = 'text' } = props;
  return (
    <div className="jp-mlops-form-field">
      <label htmlFor={id}>{label}</label>
      <input
        id={id}
        className="jp-mod-styled"
        type={type}
        min={type === 'number' ? 0 : undefined}
        spellCheck={false}
        autoComplete="off"
        value={value}
        placeholder={placeholder}
        aria-describedby={hint ? `${id}-hint` : undefined}
        onChange={event => onEnter(event.target.value)}
      />
      {hint && (
        <p className="jp-mlops-hint" id={`${id}-hint`}>
          {hint}
        </p>
      )}
    </div>
  );
}

/** A choice with its label. */
export function ChoiceField(props: {
  label: string;
  hint?: string;
  value: string;
  choices: ReadonlyArray<readonly [string, string]>;
  onChoose: (value: string) => void;
}): JSX.Element {
  const id = useId();
  const { label, hint, value, choices, onChoose } = props;
  return (
    <div className="jp-mlops-form-field">
      <label htmlFor={id}>{label}</label>
      <select
        id={id}
        className="jp-mod-styled jp-mlops-select"
        value={value}
        aria-describedby={hint ? `${id}-hint` : undefined}
        onChange={event => onChoose(event.target.value)}
      >
        {choices.map(([key, text]) => (
          <option key={key} value={key}>
            {text}
          </option>
        ))}
      </select>
      {hint && (
        <p className="jp-mlops-hint" id={`${id}-hint`}>
          {hint}
        </p>
      )}
    </div>
  );
}
