/**
 * The front end of jupyter-mlops: a model of what the server knows, and small plugins that show it.
 * Each can be switched off by its id without the others.
 */
import { commandsPlugin } from './plugins/commands';
import { formPlugin } from './plugins/form';
import { modelPlugin } from './plugins/model';
import { notebookPlugin } from './plugins/notebook';
import { rendererPlugin } from './plugins/renderer';
import { sidebarPlugin } from './plugins/sidebar';
import { statusPlugin } from './plugins/status';
import { viewsPlugin } from './plugins/views';

export * from './tokens';

export default [
  modelPlugin,
  notebookPlugin,
  formPlugin,
  commandsPlugin,
  sidebarPlugin,
  viewsPlugin,
  rendererPlugin,
  statusPlugin
];
