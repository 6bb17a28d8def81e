import { LabIcon } from '@jupyterlab/ui-components';

import pipelineSvg from '../labextension/style/icons/pipeline.svg';

/** The product's one icon: sidebar tab, toolbar button, views. */
export const pipelineIcon = new LabIcon({
  name: 'jupyter-mlops:pipeline',
  svgstr: pipelineSvg
});
