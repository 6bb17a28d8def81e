import { Clipboard, Notification } from '@jupyterlab/apputils';

/** Copy a text and say so. */
export function copy(text: string, message: string): void {
  Clipboard.copyToSystem(text);
  Notification.info(message, { autoClose: 2000 });
}
