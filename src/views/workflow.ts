import { MainAreaWidget } from '@jupyterlab/apputils';
import {
  CodeEditor,
  CodeEditorWrapper,
  IEditorServices
} from '@jupyterlab/codeeditor';
import { TranslationBundle } from '@jupyterlab/translation';
import { ToolbarButton, copyIcon, yamlIcon } from '@jupyterlab/ui-components';

import { copy } from '../parts/clipboard';

/** A Workflow as YAML, to read and to copy. */
export function workflowView(
  name: string,
  yaml: string,
  editors: IEditorServices,
  trans: TranslationBundle
): MainAreaWidget<CodeEditorWrapper> {
  const model = new CodeEditor.Model({ mimeType: 'text/x-yaml' });
  model.sharedModel.setSource(yaml);
  const content = new CodeEditorWrapper({
    model,
    factory: editors.factoryService.newDocumentEditor,
    editorOptions: { config: { readOnly: true, lineNumbers: true } }
  });
  const widget = new MainAreaWidget({ content });
  widget.toolbar.addItem(
    'copy',
    new ToolbarButton({
      icon: copyIcon,
      label: trans.__('Copy'),
      tooltip: trans.__('Copy the YAML'),
      onClick: () => copy(yaml, trans.__('Copied the YAML'))
    })
  );
  widget.title.label = trans.__('%1 workflow', name);
  widget.title.icon = yamlIcon;
  widget.title.closable = true;
  return widget;
}
