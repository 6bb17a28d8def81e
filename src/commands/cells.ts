/**
 * Which cell a command is about: the one under the mouse where it comes from the menu of a cell, else the active one.
 */
import { JupyterFrontEnd } from '@jupyterlab/application';
import { Cell } from '@jupyterlab/cells';
import { INotebookTracker } from '@jupyterlab/notebook';
import { ReadonlyPartialJSONObject } from '@lumino/coreutils';

/** A code cell and its place among all; null where it is about none. The other mouse button does not make a cell the active one. */
export function codeCell(
  options: { app: JupyterFrontEnd; notebooks: INotebookTracker },
  args: ReadonlyPartialJSONObject
): { cell: Cell; index: number } | null {
  const { app, notebooks } = options;
  const notebook = notebooks.currentWidget?.content;
  if (!notebook) {
    return null;
  }
  const hit =
    args.source === 'cell'
      ? app.contextMenuHitTest(node => node.classList.contains('jp-Cell'))
      : undefined;
  const index = hit
    ? notebook.widgets.findIndex(widget => widget.node === hit)
    : notebook.activeCellIndex;
  const cell = notebook.widgets[index];
  return cell?.model.type === 'code' ? { cell, index } : null;
}
