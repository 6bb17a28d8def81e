import {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { DisposableSet } from '@lumino/disposable';

import { StepBands } from '../notebook/bands';
import { NotebookSource } from '../notebook/source';
import { DOMAIN, IMlopsModel } from '../tokens';
import { SETTINGS } from './settings';

/** Follows the open notebooks, and draws the steps beside their cells. */
export const notebookPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-mlops:notebook',
  description: 'Follows open notebooks and shows steps beside their cells.',
  autoStart: true,
  requires: [IMlopsModel, INotebookTracker],
  optional: [ISettingRegistry, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    model: IMlopsModel,
    notebooks: INotebookTracker,
    settings: ISettingRegistry | null,
    translator: ITranslator | null
  ) => {
    const trans = (translator ?? nullTranslator).load(DOMAIN);
    const { contents } = app.serviceManager;
    const sources = new Map<NotebookPanel, NotebookSource>();
    const bands = new Set<StepBands>();
    let visible = true;

    const track = (panel: NotebookPanel) => {
      const source = new NotebookSource(panel, contents, trans);
      const band = new StepBands(panel, source, model.pipeline, trans);
      const owned = new DisposableSet();
      owned.add(model.pipeline.track(source));
      owned.add(source);
      owned.add(band);
      band.visible = visible;
      bands.add(band);
      sources.set(panel, source);
      panel.disposed.connect(() => {
        bands.delete(band);
        sources.delete(panel);
        owned.dispose();
      });
    };
    const front = () => {
      const panel = notebooks.currentWidget;
      model.pipeline.setCurrent((panel && sources.get(panel)) ?? null);
    };
    notebooks.forEach(track);
    notebooks.widgetAdded.connect((_, panel) => {
      track(panel);
      front();
    });
    notebooks.currentChanged.connect(front);
    front();

    void settings?.load(SETTINGS).then(loaded => {
      const apply = () => {
        visible = loaded.get('showSteps').composite !== false;
        bands.forEach(band => (band.visible = visible));
      };
      loaded.changed.connect(apply);
      apply();
    });
  }
};
