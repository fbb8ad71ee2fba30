using ChatBackend.Infrastructure.Configuration;
using ChatBackend.Infrastructure.Http.OpenApi;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authorization;
using Microsoft.Extensions.Options;
using Microsoft.OpenApi;

namespace ChatBackend.Infrastructure.Auth;

/// <summary>Each route has one of four policies, or none: then credentials are ignored.</summary>
internal static class AuthFeature
{
    public const string TokenAccepted = "token_accepted";

    public const string TokenRequired = "token_required";

    public const string IngestKeyRequired = "ingest_key_required";

    public const string CompatibleKeyAccepted = "compatible_key_accepted";

    private static readonly Credential Token = new("bearer", new()
    {
        Type = SecuritySchemeType.Http,
        Scheme = "bearer",
        BearerFormat = "JWT",
        Description = "A token of the site's sign-in.",
    });

    private static readonly Credential IngestKey = new("ingestKey", new()
    {
        Type = SecuritySchemeType.ApiKey,
        In = ParameterLocation.Header,
        Name = IngestKeyHandler.Header,
        Description = "A key of the operator's INGEST_API_KEY; `Authorization: Bearer` takes it, too.",
    });

    public static void AddAuth(this WebApplicationBuilder builder)
    {
        builder.BindOptions<AuthOptions>();
        builder.Services.AddSingleton<JsonWebKeySet>();
        builder.Services.AddSingleton<TokenVerifier>();
        // Not AddAuthentication: it adds data protection, which writes keys to disk that nothing here uses.
        builder.Services.AddAuthenticationCore(schemes =>
        {
            schemes.AddScheme<BearerTokenHandler>(BearerTokenHandler.Name, displayName: null);
            schemes.AddScheme<IngestKeyHandler>(IngestKeyHandler.Name, displayName: null);
            schemes.AddScheme<CompatibleKeyHandler>(CompatibleKeyHandler.Name, displayName: null);
        });
        builder.Services.AddTransient<BearerTokenHandler>();
        builder.Services.AddTransient<IngestKeyHandler>();
        builder.Services.AddTransient<CompatibleKeyHandler>();
        builder.Services.AddWebEncoders();
        builder.Services.AddAuthorizationBuilder()
            .AddPolicy(TokenAccepted, policy => policy.AddAuthenticationSchemes(BearerTokenHandler.Name).RequireAssertion(context => HasNoBadTokenAsync(context, BearerTokenHandler.Name)))
            .AddPolicy(CompatibleKeyAccepted, policy => policy.AddAuthenticationSchemes(CompatibleKeyHandler.Name).RequireAssertion(context => HasNoBadTokenAsync(context, CompatibleKeyHandler.Name)))
            .AddPolicy(TokenRequired, policy => policy.AddAuthenticationSchemes(BearerTokenHandler.Name).RequireAuthenticatedUser())
            .AddPolicy(IngestKeyRequired, policy => policy.AddAuthenticationSchemes(IngestKeyHandler.Name).RequireAuthenticatedUser());
    }

    public static void UseAuth(this WebApplication app)
    {
        app.UseAuthorization();
        app.Lifetime.ApplicationStarted.Register(() => Warn(
            app.Services.GetRequiredService<IOptions<AuthOptions>>().Value, app.Environment, app.Services.GetRequiredService<ILogger<AuthOptions>>()));
    }

    /// <summary>The token is optional: without one the reader is anonymous, an invalid one is 401.</summary>
    public static TBuilder AcceptToken<TBuilder>(this TBuilder routes) where TBuilder : IEndpointConventionBuilder => routes
        .RequireAuthorization(TokenAccepted)
        .WithMetadata(Token with { IsOptional = true })
        .FailsWith(StatusCodes.Status401Unauthorized, "invalid_token", "The token is not valid. Without one, the reader is anonymous.");

    /// <summary>A key of <c>OPENAI_COMPATIBLE_KEY</c> or a token. Where no key is set, a request needs neither.</summary>
    public static TBuilder AcceptCompatibleKey<TBuilder>(this TBuilder routes) where TBuilder : IEndpointConventionBuilder => routes
        .RequireAuthorization(CompatibleKeyAccepted)
        .WithMetadata(Token with { IsOptional = true })
        .FailsWith(StatusCodes.Status401Unauthorized, "invalid_api_key", "There is no key, or it does not match, or the token is not valid.");

    /// <summary>401 without a valid token.</summary>
    public static TBuilder RequireToken<TBuilder>(this TBuilder routes) where TBuilder : IEndpointConventionBuilder => routes
        .RequireAuthorization(TokenRequired)
        .WithMetadata(Token)
        .FailsWith(StatusCodes.Status401Unauthorized, "token_required", "There is no token, or it is not valid.");

    /// <summary>401 without <c>INGEST_API_KEY</c>, before a body is read.</summary>
    public static TBuilder RequireIngestKey<TBuilder>(this TBuilder routes) where TBuilder : IEndpointConventionBuilder => routes
        .RequireAuthorization(IngestKeyRequired)
        .WithMetadata(IngestKey)
        .FailsWith(StatusCodes.Status401Unauthorized, "ingest_key_required", "There is no ingest key, or it does not match.");

    private static async Task<bool> HasNoBadTokenAsync(AuthorizationHandlerContext authorization, string scheme) =>
        authorization.Resource is HttpContext context && (await context.AuthenticateAsync(scheme)).Failure is null;

    private static void Warn(AuthOptions options, IHostEnvironment environment, ILogger log)
    {
        if (environment.IsDevelopment())
            return;
        if (!options.IsSignInConfigured)
            log.LogWarning("Neither AUTH_JWKS_URL nor AUTH_SECRET is set: sign-in is off, and all tokens are refused");
        else if ((options.JwksUrl is not null || options.Secret is not null) && (options.Issuer is null || options.Audience is null))
            log.LogWarning("AUTH_ISSUER or AUTH_AUDIENCE is not set: tokens that the signer issued for other services are accepted, too");
        if (options.IngestKeys.Length == 0)
            log.LogWarning("INGEST_API_KEY is not set: ingest over HTTP and insights are closed");
    }
}
