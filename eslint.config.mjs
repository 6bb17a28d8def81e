import eslint from '@eslint/js';
import jupyter from '@jupyter/eslint-plugin';
import prettier from 'eslint-config-prettier';
import globals from 'globals';
import tseslint from 'typescript-eslint';

export default tseslint.config(
  {
    ignores: [
      '.venv',
      'coverage',
      'labextension/dist',
      'lib',
      'node_modules',
      'src/api-types.ts',
      'tests',
      'jupyter_mlops'
    ]
  },
  {
    files: ['src/**/*.{ts,tsx}'],
    extends: [eslint.configs.recommended, ...tseslint.configs.recommended],
    languageOptions: {
      globals: globals.browser,
      parserOptions: {
        project: './tsconfig.json',
        tsconfigRootDir: import.meta.dirname
      }
    },
    rules: {
      '@typescript-eslint/naming-convention': [
        'error',
        {
          selector: 'memberLike',
          modifiers: ['private'],
          format: ['camelCase'],
          leadingUnderscore: 'require'
        }
      ],
      // JupyterLab's own way to name ids of commands.
      '@typescript-eslint/no-namespace': 'off',
      // A field or an argument may be named to leave it out.
      '@typescript-eslint/no-unused-vars': [
        'warn',
        { args: 'none', varsIgnorePattern: '^_' }
      ],
      '@typescript-eslint/no-floating-promises': 'error',
      curly: 'error',
      eqeqeq: 'error',
      'prefer-arrow-callback': 'error'
    }
  },
  {
    files: ['*.js'],
    extends: [eslint.configs.recommended],
    languageOptions: { globals: globals.node, sourceType: 'commonjs' }
  },
  ...jupyter.configs.recommended.map(config => ({
    ...config,
    plugins: { jupyter }
  })),
  {
    rules: {
      // Plugins need their own small modules at activation; what is heavy (the views) is imported when it is opened.
      'jupyter/prefer-lazy-imports': 'off'
    }
  },
  prettier
);
