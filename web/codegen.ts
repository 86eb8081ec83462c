import type { CodegenConfig } from "@graphql-codegen/cli";

const types = {
  enumsAsTypes: true,
  useTypeImports: true,
  strictScalars: true,
  defaultScalarType: "unknown",
  scalars: { Position: "string", UUID: "string", DateTime: "string", JSON: "unknown" },
};

const config: CodegenConfig = {
  schema: "../read-api/schema.graphql",
  documents: ["src/**/*.{ts,tsx}", "tests/**/*.ts", "!src/gql/**"],
  ignoreNoDocuments: true,
  generates: {
    "./src/gql/": {
      preset: "client",
      presetConfig: { fragmentMasking: false },
      config: types,
    },
    // Every type of the schema, also those that no document names yet: enums and inputs.
    "./src/gql/schema.ts": { plugins: ["typescript"], config: types },
  },
};

export default config;
