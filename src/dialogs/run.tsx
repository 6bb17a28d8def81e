import React, { useId } from 'react';

import { Conversion, Run } from '../api';
import { CommandIDs } from '../commands/ids';
import { isDone } from '../models/runs';
import { collect } from '../notebook/parameters';
import { Misfits } from '../panels/environment';
import { ParameterForm } from '../panels/parameters';
import { TargetSelect } from '../parts/picker';
import { IContext } from '../tokens';
import { ChoiceField, ask } from './form';

/** What a person asks for besides the notebook. */
export interface IRunOptions {
  readonly target: string;
  readonly parameters: Record<string, unknown>;
  readonly resume?: string;
}

interface IValue {
  target: string;
  entered: Readonly<Record<string, string>>;
  resume: string;
}

/** Ask how a notebook shall be run; null where it shall not. */
export async function askRun(
  context: IContext,
  path: string,
  conversion: Conversion,
  entered: Readonly<Record<string, string>>
): Promise<IRunOptions | null> {
  const { model, trans, commands } = context;
  const { pipeline, parameters } = conversion;
  const value = await ask<IValue>({
    title: trans.__('Run %1', pipeline),
    accept: trans.__('Run'),
    cancel: trans.__('Cancel'),
    value: { target: model.targets.current ?? 'local', entered, resume: '' },
    form: (now, change) => (
      <>
        <TargetField
          value={now.target}
          onChoose={target => change({ target, resume: '' })}
          context={context}
        />
        <Misfits
          context={context}
          path={path}
          conversion={conversion}
          target={now.target}
          onShow={(cell, line) =>
            void commands.execute(CommandIDs.reveal, {
              path,
              cell: cell ?? null,
              line: line ?? null
            })
          }
        />
        <ChoiceField
          label={trans.__('Go on from')}
          hint={trans.__(
            'Steps that finished there and depend on nothing that has changed are not run again.'
          )}
          value={now.resume}
          choices={[
            ['', trans.__('No run: every step runs')],
            ...(now.target === model.targets.current
              ? resumable(model.runs.runs, pipeline)
              : []
            ).map(run => [run.name, run.name] as const)
          ]}
          onChoose={resume => change({ resume })}
        />
        {parameters.length > 0 && (
          <ParameterForm
            parameters={parameters}
            entered={now.entered}
            onEnter={(name, text) => {
              const { [name]: _, ...rest } = now.entered;
              change({
                entered: text === null ? rest : { ...rest, [name]: text }
              });
            }}
            trans={trans}
          />
        )}
      </>
    )
  });
  if (!value) {
    return null;
  }
  const { values } = collect(parameters, value.entered, trans);
  return {
    target: value.target,
    parameters: values,
    resume: value.resume || undefined
  };
}

/** Runs of the pipeline that did not come to their end, newest first. */
export function resumable(
  runs: ReadonlyArray<Run>,
  pipeline: string
): ReadonlyArray<Run> {
  return runs.filter(
    run =>
      run.pipeline === pipeline &&
      isDone(run.phase) &&
      run.phase !== 'Succeeded'
  );
}

export function TargetField(props: {
  value: string;
  onChoose: (name: string) => void;
  context: IContext;
}): JSX.Element {
  const id = useId();
  const { trans } = props.context;
  return (
    <div className="jp-mlops-form-field">
      <label htmlFor={id}>{trans.__('Target')}</label>
      <TargetSelect id={id} {...props} />
    </div>
  );
}
