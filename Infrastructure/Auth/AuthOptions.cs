namespace ChatBackend.Infrastructure.Auth;

internal sealed class AuthOptions
{
    /// <summary>The signer of the readers' tokens (<c>iss</c>).</summary>
    [ConfigurationKeyName("AUTH_ISSUER")]
    public string? Issuer { get; set; }

    /// <summary>The service that the tokens are issued for (<c>aud</c>).</summary>
    [ConfigurationKeyName("AUTH_AUDIENCE")]
    public string? Audience { get; set; }

    /// <summary>Where the signer's public keys are (RFC 7517).</summary>
    [ConfigurationKeyName("AUTH_JWKS_URL")]
    public Uri? JwksUrl { get; set; }

    /// <summary>A secret shared with the signer, for HS256.</summary>
    [ConfigurationKeyName("AUTH_SECRET")]
    public string? Secret { get; set; }

    [ConfigurationKeyName("Authentication:Schemes:Bearer")]
    public UserJwtsOptions UserJwts { get; set; } = new();

    /// <summary>The operator's keys, comma-separated. While a key is being replaced, the old one and the new one are valid.</summary>
    [ConfigurationKeyName("INGEST_API_KEY")]
    public string? IngestApiKey { get; set; }

    public string[] IngestKeys => IngestApiKey?.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries) ?? [];

    /// <summary>The keys of OpenAI's clients, comma-separated. Null if they need none.</summary>
    [ConfigurationKeyName("OPENAI_COMPATIBLE_KEY")]
    public string? CompatibleKey { get; set; }

    public string[] CompatibleKeys => CompatibleKey?.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries) ?? [];

    public bool IsSignInConfigured => JwksUrl is not null || Secret is not null || UserJwts.SigningKeys.Count > 0;
}

/// <summary>The section <c>Authentication:Schemes:Bearer</c>, as <c>dotnet user-jwts</c> writes it and JwtBearer reads it.</summary>
internal sealed class UserJwtsOptions
{
    public string? ValidIssuer { get; set; }

    public IList<string> ValidIssuers { get; set; } = [];

    public string? ValidAudience { get; set; }

    public IList<string> ValidAudiences { get; set; } = [];

    public IList<UserJwtsKey> SigningKeys { get; set; } = [];
}

/// <summary>A key of <c>dotnet user-jwts</c>, from the user secrets.</summary>
internal sealed class UserJwtsKey
{
    /// <summary>The only <c>iss</c> that is valid with this key.</summary>
    public string? Issuer { get; set; }

    /// <summary>The secret, in base64.</summary>
    public string? Value { get; set; }
}
