import { Diagnostic } from '../api';
import { quickFix } from '../panels/quickfix';
import { trans } from './helpers';

function found(code: string, cell: number | null): Diagnostic {
  return { code, cell, severity: 'info', message: 'm', line: null, fix: 'f' };
}

describe('quickFix', () => {
  it.each([
    ['gpu-unasked', 'mlops:set-option', { cell: 3, key: 'gpu', value: 1 }],
    ['environment-read', 'mlops:step-options', { cell: 3 }],
    ['conflicting-options', 'mlops:step-options', { cell: 3 }],
    ['invalid-metadata', 'mlops:step-options', { cell: 3 }]
  ])('mends %s', (code, command, args) => {
    expect(quickFix(found(code, 3), trans)).toMatchObject({ command, args });
  });

  it.each([
    ['syntax-error', 3],
    ['invalid-metadata', null]
  ])('leaves %s of cell %s to people', (code, cell) => {
    expect(quickFix(found(code, cell), trans)).toBeNull();
  });
});
