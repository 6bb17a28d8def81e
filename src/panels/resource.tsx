import React from 'react';

import { Resource } from '../models/resource';
import { Live } from '../parts/live';
import { Empty, Loading, Problem } from '../parts/states';
import { IContext } from '../tokens';

/** The four states of anything that is loaded: loading, error, and, drawn by the caller, empty and data. */
export function Loaded<T>(props: {
  resource: Resource<T>;
  context: IContext;
  children: (value: T) => JSX.Element;
}): JSX.Element {
  const { resource, context, children } = props;
  const { trans, model } = context;
  return (
    <Live on={[resource.changed, model.server.changed]}>
      {() => {
        if (model.server.fit === 'missing') {
          return <Missing context={context} />;
        }
        const { value, error } = resource;
        const retry = () => void resource.refresh();
        return (
          <>
            {error && <Problem error={error} trans={trans} onRetry={retry} />}
            {value !== null
              ? children(value)
              : !error && <Loading trans={trans} />}
          </>
        );
      }}
    </Live>
  );
}

/** The page has the product and the server has not. */
function Missing(props: { context: IContext }): JSX.Element {
  const { trans } = props.context;
  return (
    <Empty
      message={trans.__('The server part of jupyter-mlops is not running.')}
      hint={trans.__(
        'Install jupyter-mlops where Jupyter Server runs, then restart the server. The command “jupyter server extension list” shows whether it is enabled.'
      )}
    />
  );
}
