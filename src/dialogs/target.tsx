import React from 'react';

import { Target, TargetSettings } from '../api';
import { IContext } from '../tokens';
import { TextField, ask } from './form';

type Key = Exclude<keyof TargetSettings, 'mirrors'>;

/** Ask for the settings of a target; null where nothing is to be changed. */
export async function askSettings(
  target: Target,
  { trans }: IContext
): Promise<TargetSettings | null> {
  const fields: ReadonlyArray<readonly [Key, string, string]> = [
    [
      'namespace',
      trans.__('Namespace'),
      trans.__('Where runs and services live.')
    ],
    [
      'registry',
      trans.__('Registry'),
      trans.__(
        'As steps reach it: https://host/path; plain HTTP only where it says http://.'
      )
    ],
    [
      'registry_here',
      trans.__('Registry from here'),
      trans.__(
        'The address of the same registry from Jupyter Server, where it is another.'
      )
    ],
    [
      'image',
      trans.__('Image'),
      trans.__(
        'Steps run in it: any image with Python 3.10 or newer and your packages.'
      )
    ],
    [
      'service_account',
      trans.__('Service account'),
      trans.__('Of the step pods; empty: the one of the namespace.')
    ],
    [
      'pull_secret',
      trans.__('Pull secret'),
      trans.__(
        'Name of a Secret in the namespace; its content is never shown here.'
      )
    ],
    [
      'ca',
      trans.__('Certificates'),
      trans.__(
        'Name of a ConfigMap whose ca.crt steps trust besides their own.'
      )
    ],
    ['queue', trans.__('Queue'), trans.__('Of Kueue, if the cluster has it.')]
  ];
  const before = Object.fromEntries(
    fields.map(([key]) => [key, target[key] ?? ''])
  ) as Record<Key, string>;
  const mirrors = Object.entries(target.mirrors)
    .map(([prefix, to]) => `${prefix}=${to}`)
    .join(', ');
  const after = await ask<Record<Key, string> & { mirrors: string }>({
    title: trans.__('Settings of %1', target.name),
    accept: trans.__('Save and Check'),
    cancel: trans.__('Cancel'),
    value: { ...before, mirrors },
    form: (value, change) => (
      <>
        {fields.map(([key, label, hint]) => (
          <TextField
            key={key}
            label={label}
            hint={hint}
            value={value[key]}
            onEnter={text => change({ [key]: text } as Partial<typeof value>)}
          />
        ))}
        <TextField
          label={trans.__('Mirrors of images')}
          hint={trans.__(
            'Such as docker.io/=mirror.example/dockerhub/, separated by commas.'
          )}
          value={value.mirrors}
          onEnter={text => change({ mirrors: text })}
        />
      </>
    )
  });
  if (!after) {
    return null;
  }
  const changed: TargetSettings = {};
  for (const [key] of fields) {
    if (after[key].trim() !== before[key]) {
      changed[key] = after[key].trim();
    }
  }
  if (after.mirrors !== mirrors) {
    changed.mirrors = mirrorsOf(after.mirrors);
  }
  return Object.keys(changed).length ? changed : null;
}

/** `a=b, c=d` as a table; what has no `=` is left for the server to refuse. */
export function mirrorsOf(text: string): Record<string, string> {
  const pairs = text
    .split(/[,\n]/)
    .map(pair => pair.trim())
    .filter(Boolean)
    .map(pair => {
      const at = pair.indexOf('=');
      return at < 0
        ? [pair, '']
        : [pair.slice(0, at).trim(), pair.slice(at + 1).trim()];
    });
  return Object.fromEntries(pairs) as Record<string, string>;
}
