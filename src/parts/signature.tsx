import { TranslationBundle } from '@jupyterlab/translation';
import React from 'react';

import { ModelVersion, Tensor } from '../api';

/** What a model takes and gives. */
export function Signature(props: {
  version: ModelVersion;
  trans: TranslationBundle;
}): JSX.Element | null {
  const { inputs = [], outputs = [] } = props.version;
  const { trans } = props;
  if (inputs.length + outputs.length === 0) {
    return null;
  }
  return (
    <details className="jp-mlops-details">
      <summary>
        {trans.__('Signature: %1 → %2', inputs.length, outputs.length)}
      </summary>
      <Tensors label={trans.__('Inputs')} tensors={inputs} />
      <Tensors label={trans.__('Outputs')} tensors={outputs} />
    </details>
  );
}

function Tensors(props: {
  label: string;
  tensors: ReadonlyArray<Tensor>;
}): JSX.Element {
  return (
    <>
      <div className="jp-mlops-label">{props.label}</div>
      <dl className="jp-mlops-facts">
        {props.tensors.map(tensor => (
          <React.Fragment key={tensor.name}>
            <dt title={tensor.name}>{tensor.name}</dt>
            <dd>
              {tensor.datatype}
              {tensor.shape && ` [${tensor.shape.join(', ')}]`}
            </dd>
          </React.Fragment>
        ))}
      </dl>
    </>
  );
}
