// The project on Railway: `railway config plan` shows what it would change, `railway config apply` does it.
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
      // SIGTERM, then at most 60 s: the service gives the answers under way 45 s.
      drainingSeconds: 60,
      overlapSeconds: 20,
    },
    env: {
      PORT: "8000",
      DATABASE_URL: db.env.DATABASE_URL,
      QDRANT_URL: "http://${{qdrant.RAILWAY_PRIVATE_DOMAIN}}:6333",
      // Set with `railway variable set`; what is set there stays. A variable that isn't named here, the next apply removes.
      OPENAI_API_KEY: preserve(),
      INGEST_API_KEY: preserve(),
      AUTH_JWKS_URL: preserve(),
      AUTH_ISSUER: preserve(),
      AUTH_AUDIENCE: preserve(),
      AUTH_SECRET: preserve(),
      FRONTEND_URL: preserve(),
      SITE_BASE_URL: preserve(),
      BOOK_TITLE: preserve(),
    },
  });

  return project("chatbackend", { resources: [db, books, qdrant, chat] });
});
