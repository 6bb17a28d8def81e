import { NotebookPanel } from '@jupyterlab/notebook';

/** Class of a cell that was jumped to, while it flashes. */
const FLASH = 'jp-mlops-flash';

/** Milliseconds of the flash; the style sheet has the same. */
const FLASH_TIME = 1200;

/** Make a cell the active one, bring it into view, put the cursor on a line (from 1) and flash it. */
export async function revealCell(
  panel: NotebookPanel,
  index: number,
  line: number | null = null
): Promise<void> {
  const notebook = panel.content;
  if (index < 0 || index >= notebook.widgets.length) {
    return;
  }
  notebook.activeCellIndex = index;
  notebook.deselectAll();
  await notebook.scrollToItem(index, 'smart');
  const cell = notebook.widgets[index];
  await cell.ready;
  if (line !== null && cell.editor) {
    cell.inputHidden = false;
    const last = cell.editor.lineCount - 1;
    cell.editor.setCursorPosition({
      line: Math.min(Math.max(line - 1, 0), last),
      column: 0
    });
    notebook.mode = 'edit';
    cell.editor.focus();
  } else {
    notebook.mode = 'command';
    notebook.activate();
  }
  cell.addClass(FLASH);
  setTimeout(() => cell.isDisposed || cell.removeClass(FLASH), FLASH_TIME);
}
