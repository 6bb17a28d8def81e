import {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { DOMAIN, IMlopsModel } from '../tokens';
import { RUN_MIME, RunRenderer } from '../views/mini';

/** Before HTML and text, which lie beside it for those who cannot show this. */
const RANK = 5;

export const rendererPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-mlops:renderer',
  description: 'Shows a run, live, in the output of a cell.',
  autoStart: true,
  requires: [IMlopsModel, IRenderMimeRegistry],
  optional: [ITranslator],
  activate: (
    app: JupyterFrontEnd,
    model: IMlopsModel,
    rendermime: IRenderMimeRegistry,
    translator: ITranslator | null
  ) => {
    const trans = (translator ?? nullTranslator).load(DOMAIN);
    const context = { model, commands: app.commands, trans };
    rendermime.addFactory(
      {
        safe: true,
        mimeTypes: [RUN_MIME],
        createRenderer: () => new RunRenderer(context)
      },
      RANK
    );
  }
};
