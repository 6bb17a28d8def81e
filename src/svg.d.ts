declare module '*.svg' {
  const value: string;
  export default value;
}

// Only the version is taken, so that the bundle does not hold the whole file.
declare module '*/package.json' {
  export const version: string;
}
