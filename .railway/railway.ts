// The project on Railway: `railway config plan` shows the changes, `railway config apply` makes them.
// Railway no longer reads railway.json for new services (docs.railway.com/infrastructure-as-code).
import { defineRailway, image, postgres, preserve, project, service, volume } from "railway/iac";

export default defineRailway(() => {
  const db = postgres("postgres");

  const books = volume("qdrant-storage", { sizeMB: 5000 });
  const qdrant = service("qdrant", {
    source: image("qdrant/qdrant:v1.19.1"),
    healthcheck: "/readyz",
    volumeMounts: { "/qdrant/storage": books },
    env: {
      PORT: "6333",
      // Railway's private network is IPv6.
      QDRANT__SERVICE__HOST: "::",
    },
  });

  // No source: `railway up` deploys this folder. To deploy on every push, add source: github("owner/repository").
  const chat = service("chatbackend", {
    build: { builder: "DOCKERFILE", dockerfilePath: "Dockerfile" },
    deploy: {
      // Readiness: requests go to the new deployment once it has migrated the database.
      healthcheckPath: "/health/ready",
      healthcheckTimeout: 120,
      restartPolicyType: "ON_FAILURE",
      restartPolicyMaxRetries: 10,
      // SIGTERM, then at most 60 s. A stop takes up to 45 s: 40 s for the answers in flight, 5 s to hand the others on.
      drainingSeconds: 60,
      overlapSeconds: 20,
    },
    env: {
      PORT: "8000",
      DATABASE_URL: db.env.DATABASE_URL,
      QDRANT_URL: "http://${{qdrant.RAILWAY_PRIVATE_DOMAIN}}:6333",
      // Set these with `railway variable set`. preserve() keeps what is set there; an apply removes variables that have no line here.
      AI_PROVIDER: preserve(),
      OPENAI_API_KEY: preserve(),
      OPENAI_BASE_URL: preserve(),
      OPENAI_CHAT_MODEL: preserve(),
      OPENAI_FALLBACK_MODEL: preserve(),
      OPENAI_EMBEDDING_MODEL: preserve(),
      OPENAI_EMBEDDING_DIMENSIONS: preserve(),
      MODEL_TIMEOUT_SECONDS: preserve(),
      MODEL_MAX_OUTPUT_TOKENS: preserve(),
      MODEL_CONTEXT_TOKENS: preserve(),
      QDRANT_API_KEY: preserve(),
      QDRANT_COLLECTION: preserve(),
      FRONTEND_URL: preserve(),
      SITE_BASE_URL: preserve(),
      DOCS_ROUTE: preserve(),
      TRAILING_SLASH: preserve(),
      BOOK_TITLE: preserve(),
      BOOK_QUESTIONS: preserve(),
      BOOK_LANGUAGE: preserve(),
      GLOSSARY: preserve(),
      HEADING_IDS: preserve(),
      AUTH_ISSUER: preserve(),
      AUTH_AUDIENCE: preserve(),
      AUTH_JWKS_URL: preserve(),
      AUTH_SECRET: preserve(),
      OPENAI_COMPATIBLE_KEY: preserve(),
      INGEST_API_KEY: preserve(),
      INGEST_EXCLUDE: preserve(),
      INGEST_PATIENCE: preserve(),
      RATE_LIMIT_CHAT: preserve(),
      RATE_LIMIT_TRANSLATE: preserve(),
      RATE_LIMIT_SEARCH: preserve(),
      DAILY_TOKEN_BUDGET: preserve(),
      DAILY_TOKENS_PER_CLIENT: preserve(),
      BUDGET_FALLBACK: preserve(),
      RETENTION_DAYS: preserve(),
      TRUSTED_PROXIES: preserve(),
      SAMPLE_BOOK: preserve(),
      AUDITS: preserve(),
      OTEL_EXPORTER_OTLP_ENDPOINT: preserve(),
    },
  });

  return project("chatbackend", { resources: [db, books, qdrant, chat] });
});
