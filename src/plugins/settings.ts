/** Id of the plugin whose settings schema is `labextension/schema/plugin.json`. */
export const SETTINGS = 'jupyter-mlops:plugin';
