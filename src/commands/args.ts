/**
 * What commands take: the JSON schemas that palette, documentation and assistants read.
 */
import { ReadonlyJSONObject } from '@lumino/coreutils';

const STRING = { type: 'string' } as const;
const TARGET = {
  ...STRING,
  description: 'Name of a target; the current one where absent'
} as const;

const SOURCE = {
  ...STRING,
  description: 'cell: the one whose menu was opened; else the active one'
} as const;

function object(
  properties: ReadonlyJSONObject,
  required: string[] = []
): { args: ReadonlyJSONObject } {
  return {
    args: { type: 'object', additionalProperties: true, required, properties }
  };
}

/** `describedBy` of each kind of command. */
export const ARGS = {
  none: object({}),
  convert: object({
    source: {
      type: 'string',
      description:
        'browser: the notebook that is selected in the file browser; else the one in front'
    },
    toolbar: { type: 'boolean' }
  }),
  run: object({
    path: STRING,
    parameters: { type: 'object', description: 'Values that are not defaults' },
    target: TARGET,
    resume: {
      ...STRING,
      description: 'A run whose finished steps are taken over'
    }
  }),
  workflow: object({
    path: { ...STRING, description: 'Of a notebook' },
    run: { ...STRING, description: 'Name of a run, for the Workflow it had' },
    target: TARGET
  }),
  reveal: object(
    {
      path: STRING,
      cell: {
        type: ['integer', 'null'],
        description: 'Index among all cells, from 0'
      },
      line: { type: ['integer', 'null'], description: 'From 1' }
    },
    ['path']
  ),
  step: object({
    step: { ...STRING, description: 'Asked for where absent' },
    source: SOURCE
  }),
  ofCell: object({ source: SOURCE }),
  split: object({
    cell: {
      type: 'integer',
      description:
        'Index among all cells at the last conversion, from 0; the active cell where absent'
    },
    name: { ...STRING, description: 'Of the step that begins there' },
    source: SOURCE,
    label: STRING
  }),
  skip: object({
    cells: {
      type: 'array',
      items: { type: 'integer' },
      description:
        'Indices among all cells at the last conversion; the active cell where absent'
    },
    source: SOURCE
  }),
  option: object(
    {
      cell: {
        type: 'integer',
        description: 'Index among all cells at the last conversion, from 0'
      },
      key: { ...STRING, description: 'Of the table of keys' },
      value: { description: 'null takes the key out' }
    },
    ['cell', 'key']
  ),
  join: object(
    {
      first: { ...STRING, description: 'Step whose name stays' },
      last: { ...STRING, description: 'A later step' },
      side: {
        ...STRING,
        description: 'before or after: which of them the menu is about'
      }
    },
    ['first', 'last']
  ),
  rename: object(
    {
      step: STRING,
      title: { ...STRING, description: 'Its name as people wrote it' },
      name: { ...STRING, description: 'Asked for where absent' }
    },
    ['step']
  ),
  pin: object(
    {
      first: { ...STRING, description: 'The earlier step' },
      last: { ...STRING, description: 'The one that waits' }
    },
    ['first', 'last']
  ),
  cell: object({
    cell: { type: 'integer', description: 'Index among all cells, from 0' }
  }),
  panel: object({
    section: {
      type: 'string',
      description: 'pipeline, runs, models, services or targets'
    }
  }),
  runName: object({ run: STRING, target: TARGET }),
  target: object({ target: TARGET }),
  deploy: object({
    model: { ...STRING, description: 'NAME, NAME:TAG or NAME@DIGEST' },
    target: TARGET
  }),
  dataset: object({ dataset: STRING, tag: STRING }, ['dataset', 'tag']),
  version: object({ model: STRING, tag: STRING }, ['model', 'tag']),
  service: object({ namespace: STRING, name: STRING, target: TARGET })
};
