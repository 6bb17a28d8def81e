import { TranslationBundle } from '@jupyterlab/translation';
import React, { useId } from 'react';

import { Parameter } from '../api';
import { parse, textOf } from '../notebook/parameters';
import { IconAction } from '../parts/states';
import { undoIcon } from '@jupyterlab/ui-components';

/** The notebook's parameters as a form; what is typed goes with the next run, never into the notebook. */
export function ParameterForm(props: {
  parameters: ReadonlyArray<Parameter>;
  entered: Readonly<Record<string, string>>;
  onEnter: (name: string, text: string | null) => void;
  trans: TranslationBundle;
}): JSX.Element {
  const { parameters, entered, onEnter, trans } = props;
  return (
    <form
      className="jp-mlops-parameters"
      aria-label={trans.__('Parameters')}
      onSubmit={event => event.preventDefault()}
    >
      {parameters.map(parameter => (
        <Field
          key={parameter.name}
          parameter={parameter}
          text={entered[parameter.name]}
          onEnter={text => onEnter(parameter.name, text)}
          trans={trans}
        />
      ))}
    </form>
  );
}

interface IFieldProps {
  parameter: Parameter;
  text: string | undefined;
  onEnter: (text: string | null) => void;
  trans: TranslationBundle;
}

function Field(props: IFieldProps): JSX.Element {
  const { parameter, text, onEnter, trans } = props;
  const id = useId();
  const parsed = text === undefined ? null : parse(parameter, text, trans);
  const problem = parsed && !parsed.ok ? parsed.message : null;
  const notes = [
    parameter.description ? `${id}-about` : '',
    problem ? `${id}-problem` : ''
  ].filter(Boolean);
  return (
    <div className="jp-mlops-field" data-type={parameter.type}>
      <label htmlFor={id} title={parameter.name}>
        {parameter.name}
      </label>
      <span className="jp-mlops-type">{parameter.type}</span>
      {text !== undefined && (
        <IconAction
          icon={undoIcon}
          label={trans.__('Reset %1 to its default', parameter.name)}
          onClick={() => onEnter(null)}
        />
      )}
      <Input
        id={id}
        {...props}
        invalid={problem !== null}
        describedBy={notes.join(' ') || undefined}
      />
      {parameter.description && (
        <p className="jp-mlops-hint" id={`${id}-about`}>
          {parameter.description}
        </p>
      )}
      {problem && (
        <p className="jp-mlops-invalid" id={`${id}-problem`}>
          {problem}
        </p>
      )}
    </div>
  );
}

function Input(
  props: IFieldProps & {
    id: string;
    invalid: boolean;
    describedBy: string | undefined;
  }
): JSX.Element {
  const { id, parameter, onEnter, invalid, describedBy } = props;
  const initial = textOf(parameter, parameter.default);
  const value = props.text ?? initial;
  // Back at the default is as good as never touched.
  const enter = (text: string) => onEnter(text === initial ? null : text);
  const common = {
    id,
    'aria-invalid': invalid || undefined,
    'aria-describedby': describedBy
  };
  switch (parameter.type) {
    case 'bool':
      return (
        <input
          {...common}
          type="checkbox"
          checked={value === 'true'}
          onChange={event => enter(String(event.target.checked))}
        />
      );
    case 'enum':
      return (
        <select
          {...common}
          className="jp-mod-styled"
          value={value}
          onChange={event => enter(event.target.value)}
        >
          {(parameter.choices ?? []).map(choice => {
            const text = JSON.stringify(choice);
            return (
              <option key={text} value={text}>
                {typeof choice === 'string' ? choice : text}
              </option>
            );
          })}
        </select>
      );
    case 'list':
    case 'dict':
      return (
        <textarea
          {...common}
          className="jp-mod-styled jp-mlops-code"
          rows={value.length > 28 ? 3 : 1}
          spellCheck={false}
          value={value}
          onChange={event => enter(event.target.value)}
        />
      );
    default:
      return (
        <input
          {...common}
          className="jp-mod-styled"
          type="text"
          inputMode={
            parameter.type === 'int'
              ? 'numeric'
              : parameter.type === 'float'
                ? 'decimal'
                : undefined
          }
          spellCheck={false}
          autoComplete="off"
          value={value}
          onChange={event => enter(event.target.value)}
        />
      );
  }
}
