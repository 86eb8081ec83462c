import type { CodegenConfig } from "@graphql-codegen/cli";

const config: CodegenConfig = {
  schema: "../read-api/schema.graphql",
  documents: ["src/**/*.{ts,tsx}", "tests/**/*.ts", "!src/gql/**"],
  ignoreNoDocuments: true,
  generates: {
    "./src/gql/": {
      preset: "client",
      presetConfig: { fragmentMasking: false },
      config: {
        enumsAsTypes: true,
        useTypeImports: true,
        strictScalars: true,
        defaultScalarType: "unknown",
        scalars: { Position: "string", UUID: "string", DateTime: "string", JSON: "unknown" },
      },
    },
  },
};

export default config;
