import {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { IStateDB } from '@jupyterlab/statedb';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { version } from '../../package.json';
import { MlopsClient } from '../api';
import { MlopsModel } from '../models/mlops';
import { DOMAIN, IMlopsModel } from '../tokens';

export const modelPlugin: JupyterFrontEndPlugin<IMlopsModel> = {
  id: 'jupyter-mlops:model',
  description: 'Keeps runs, models and services in step with the server.',
  autoStart: true,
  optional: [ITranslator, IStateDB],
  provides: IMlopsModel,
  activate: (
    app: JupyterFrontEnd,
    translator: ITranslator | null,
    state: IStateDB | null
  ) => {
    const trans = (translator ?? nullTranslator).load(DOMAIN);
    const { serverSettings, events } = app.serviceManager;
    const model = new MlopsModel(
      new MlopsClient(serverSettings, trans),
      version,
      events,
      state
    );
    void app.restored.then(async () => {
      await model.server.refresh();
      if (model.server.fit !== 'missing') {
        await model.targets.restore();
        model.runs.start();
      }
    });
    return model;
  }
};
