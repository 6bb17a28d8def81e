import {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { IStatusBar, TextItem } from '@jupyterlab/statusbar';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { ReactWidget } from '@jupyterlab/ui-components';
import React from 'react';

import { CommandIDs } from '../commands/ids';
import { Live } from '../parts/live';
import { DOMAIN, IMlopsModel } from '../tokens';

export const statusPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-mlops:status',
  description: 'Says in the status bar how many runs go on.',
  autoStart: true,
  requires: [IMlopsModel],
  optional: [IStatusBar, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    model: IMlopsModel,
    statusBar: IStatusBar | null,
    translator: ITranslator | null
  ) => {
    const trans = (translator ?? nullTranslator).load(DOMAIN);
    const { runs } = model;
    statusBar?.registerStatusItem('jupyter-mlops:status', {
      item: ReactWidget.create(
        <Live on={[runs.changed]}>
          {() => (
            <TextItem
              source={trans._n(
                '%1 run going on',
                '%1 runs going on',
                runs.active.length
              )}
              title={trans.__('Show runs')}
              onClick={() =>
                void app.commands.execute(CommandIDs.openPanel, {
                  section: 'runs'
                })
              }
            />
          )}
        </Live>
      ),
      align: 'left',
      rank: 50,
      // Nothing is said while there is nothing to say.
      isActive: () => runs.active.length > 0,
      activeStateChanged: runs.changed
    });
  }
};
