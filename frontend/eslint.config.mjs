import babel from "@babel/eslint-parser";
import js from "@eslint/js";

/**
 * Types, unused names and unreachable code are the compiler's business (`tsconfig.json`); the
 * rules here are about size and habits. The parser only strips types, so no compiler API is
 * needed beside TypeScript's own.
 */
export default [
  { ignores: ["dist/"] },
  js.configs.recommended,
  {
    files: ["**/*.{ts,mjs}"],
    languageOptions: {
      parser: babel,
      parserOptions: {
        requireConfigFile: false,
        babelOptions: { presets: ["@babel/preset-typescript"] },
      },
    },
    rules: {
      complexity: ["error", { max: 15, variant: "modified" }],
      eqeqeq: "error",
      "max-depth": ["error", 3],
      "max-lines": ["error", 300],
      "max-lines-per-function": ["error", { max: 60, skipComments: true }],
      "no-console": "error",
      "no-eval": "error",
      "no-implied-eval": "error",
      "no-redeclare": "off",
      "no-undef": "off",
      "no-unused-vars": "off",
      "no-var": "error",
      "prefer-const": "error",
    },
  },
  {
    files: ["dev/**", "e2e/**", "**/*.test.ts"],
    // Escape sequences are what several of these are about.
    rules: { "max-lines-per-function": "off", "no-console": "off", "no-control-regex": "off" },
  },
];
