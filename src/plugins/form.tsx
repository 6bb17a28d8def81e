import {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import {
  IFormRenderer,
  IFormRendererRegistry
} from '@jupyterlab/ui-components';
import React from 'react';

import { MlopsClient } from '../api';
import { IKind, together } from '../notebook/options';
import { Option } from '../parts/option';
import { DOMAIN } from '../tokens';

/** Id by which the form in `labextension/schema/plugin.json` asks for our fields. */
const OPTION = 'jupyter-mlops:plugin.option';

type Field = Extract<IFormRenderer['fieldRenderer'], (props: never) => unknown>;

/**
 * Gives JupyterLab's form of a cell its fields. It asks for nothing that waits for the server: the form looks for its fields once,
 * when the settings are there.
 */
export const formPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-mlops:form',
  description: "Draws the keys of a cell's metadata in the property inspector.",
  autoStart: true,
  requires: [IFormRendererRegistry],
  optional: [ITranslator],
  activate: (
    app: JupyterFrontEnd,
    registry: IFormRendererRegistry,
    translator: ITranslator | null
  ) => {
    const trans = (translator ?? nullTranslator).load(DOMAIN);
    const client = new MlopsClient(app.serviceManager.serverSettings, trans);
    const ask = together(options => client.unfit(options));
    const fieldRenderer = (props => {
      const { mlops } = props.schema as unknown as { mlops: IKind };
      return (
        <Option
          {...mlops}
          id={props.idSchema.$id}
          name={props.name.replace(/^.*\//, '')}
          title={props.schema.title ?? props.name}
          description={props.schema.description ?? ''}
          value={props.formData}
          onChange={value => props.onChange(value)}
          ask={ask}
          trans={trans}
        />
      );
    }) as Field;
    registry.addRenderer(OPTION, { fieldRenderer });
  }
};
