const jestJupyterLab = require('@jupyterlab/testutils/lib/jest-config');

// Packages that are published as ES modules only, so that jest has to transform them.
const esModules = [
  '@codemirror',
  '@jupyter/',
  '@jupyterlab/',
  '@microsoft/',
  'exenv-es6',
  'lib0',
  'nanoid',
  'vscode-ws-jsonrpc',
  'y-protocols',
  'y-websocket',
  'yjs'
].join('|');

const base = jestJupyterLab(__dirname);

module.exports = {
  ...base,
  automock: false,
  collectCoverageFrom: ['src/**/*.{ts,tsx}', '!src/**/*.d.ts'],
  coverageReporters: ['text'],
  // The bundle's package.json has the name of this one ("haste collision").
  modulePathIgnorePatterns: [
    '<rootDir>/labextension/dist',
    '<rootDir>/lib',
    '<rootDir>/.venv'
  ],
  testRegex: 'src/.*/.*.spec.ts[x]?$',
  reporters: ['default'],
  transform: {
    ...base.transform,
    // With `isolatedModules` each file is only translated, which is fast; types are checked by the build.
    '^.+\\.tsx?$': ['ts-jest/legacy', { tsconfig: '<rootDir>/tsconfig.json' }]
  },
  transformIgnorePatterns: [`/node_modules/(?!${esModules}).+`]
};
