import React from 'react';

import { Live } from '../parts/live';
import { IContext } from '../tokens';

/** Says when page and server are of different versions, and what to do; nothing is blocked. */
export function VersionNote(props: { context: IContext }): JSX.Element {
  const { model, trans } = props.context;
  const { server } = model;
  return (
    <Live on={[server.changed]}>
      {() => {
        const fit = server.fit;
        if (fit !== 'server-older' && fit !== 'page-older') {
          return <></>;
        }
        return (
          <p className="jp-mlops-version" role="status">
            {trans.__(
              'This page has version %1 of jupyter-mlops, the server %2.',
              server.version,
              server.value!.version
            )}{' '}
            {fit === 'page-older'
              ? trans.__('Reload the page.')
              : trans.__(
                  'Upgrade jupyter-mlops on the server, then restart the server.'
                )}
          </p>
        );
      }}
    </Live>
  );
}
