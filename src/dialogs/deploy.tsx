import React, { useEffect, useState } from 'react';

import { DeployRequest, Deployment, MlopsError, asMlopsError } from '../api';
import { LOCAL } from '../models/targets';
import { Loading, Problem } from '../parts/states';
import { IContext } from '../tokens';
import { ChoiceField, TextField, ask } from './form';
import { TargetField } from './run';

interface IValue {
  target: string;
  name: string;
  gpu: string;
  memory: string;
  image: string;
  runtime: string;
}

/** Ask how a model shall be served; null where it shall not. */
export async function askDeploy(
  context: IContext,
  model: string
): Promise<{ target: string; options: DeployRequest } | null> {
  const { trans } = context;
  const value = await ask<IValue>({
    title: trans.__('Deploy %1', model),
    accept: trans.__('Deploy'),
    cancel: trans.__('Cancel'),
    value: {
      target: context.model.targets.current ?? LOCAL,
      name: '',
      gpu: '',
      memory: '',
      image: '',
      runtime: ''
    },
    form: (now, change) => (
      <DeployForm value={now} change={change} model={model} context={context} />
    )
  });
  return value && { target: value.target, options: optionsOf(value) };
}

/** What is set, as the server takes it. This machine has a name for its service and nothing else. */
export function optionsOf(value: IValue): DeployRequest {
  const { target, name, gpu, memory, image, runtime } = value;
  const chosen: DeployRequest = name.trim() ? { name: name.trim() } : {};
  if (target === LOCAL) {
    return chosen;
  }
  const count = Number.parseInt(gpu, 10);
  return {
    ...chosen,
    ...(count > 0 ? { gpu: count } : {}),
    ...(memory.trim() ? { memory: memory.trim() } : {}),
    ...(image.trim() ? { image: image.trim() } : {}),
    ...(runtime ? { runtime } : {})
  };
}

function DeployForm(props: {
  value: IValue;
  change: (part: Partial<IValue>) => void;
  model: string;
  context: IContext;
}): JSX.Element {
  const { value, change, model, context } = props;
  const { trans } = context;
  const { target, runtime } = value;
  const [found, setFound] = useState<Deployment | null>(null);
  const [error, setError] = useState<MlopsError | null>(null);
  useEffect(() => {
    let gone = false;
    setFound(null);
    setError(null);
    if (target !== LOCAL) {
      context.model.client
        .at(target)
        .deployment({ model, ...(runtime ? { runtime } : {}) })
        .then(
          answer => !gone && setFound(answer),
          (reason: unknown) => !gone && setError(asMlopsError(reason))
        );
    }
    return () => {
      gone = true;
    };
  }, [context, target, runtime, model]);
  return (
    <>
      {context.model.targets.several && (
        <TargetField
          value={target}
          onChoose={name => change({ target: name, runtime: '' })}
          context={context}
        />
      )}
      <TextField
        label={trans.__('Name of the service')}
        placeholder={model.split(/[:@]/)[0]}
        value={value.name}
        onEnter={name => change({ name })}
      />
      {target !== LOCAL && (
        <>
          <TextField
            label={trans.__('GPUs')}
            type="number"
            placeholder="0"
            value={value.gpu}
            onEnter={gpu => change({ gpu })}
          />
          <TextField
            label={trans.__('Memory')}
            placeholder={trans.__('as the namespace has it')}
            hint={trans.__('A quantity, such as 4Gi.')}
            value={value.memory}
            onEnter={memory => change({ memory })}
          />
          <TextField
            label={trans.__('Image')}
            placeholder={
              found?.image || trans.__('the one the model was trained in')
            }
            value={value.image}
            onEnter={image => change({ image })}
          />
          {found && found.runtimes.length > 0 && (
            <ChoiceField
              label={trans.__('Model server')}
              value={runtime}
              choices={[
                [
                  '',
                  trans.__(
                    'of jupyter-mlops, with the packages of the training'
                  )
                ],
                ...found.runtimes.map(name => [name, name] as const)
              ]}
              onChoose={name => change({ runtime: name })}
            />
          )}
          <div role="status" className="jp-mlops-mode">
            {found?.mode && (
              <>
                <span className="jp-mlops-chip">{found.mode}</span>{' '}
                <span className="jp-mlops-hint">{found.reason}</span>
              </>
            )}
            {!found && !error && <Loading trans={trans} />}
          </div>
          {error && <Problem error={error} trans={trans} />}
        </>
      )}
    </>
  );
}
