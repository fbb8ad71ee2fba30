using System.Reflection;
using System.Reflection.Emit;
using Dapper;

namespace ChatBackend.Tests.Conventions;

/// <summary>Every statement can be cancelled: Dapper takes a token only in a CommandDefinition, where it is easily left out.</summary>
public sealed class StatementTests
{
    private static readonly (string Name, (OpCode Code, MemberInfo? Member)[] Code)[] Methods =
    [
        .. typeof(Program).Assembly.GetTypes().SelectMany(MethodReader.MethodsOf)
            .Select(m => ($"{m.DeclaringType}.{m.Name}", MethodReader.Read(m).Where(i => i.Code != OpCodes.Nop).ToArray())),
    ];

    [Fact]
    public void Every_statement_is_a_command_definition()
    {
        var calls = (
            from method in Methods
            from instruction in method.Code
            where instruction.Member is MethodInfo { IsStatic: true } called && called.DeclaringType == typeof(SqlMapper)
                && called.Name.StartsWith("Query", StringComparison.Ordinal) | called.Name.StartsWith("Execute", StringComparison.Ordinal)
            select (method.Name, Called: (MethodInfo)instruction.Member!)).ToArray();

        Assert.Contains(calls, c => c.Name.Contains("GetAudit", StringComparison.Ordinal));
        Assert.DoesNotContain(calls, c => !Array.Exists(c.Called.GetParameters(), p => p.ParameterType == typeof(CommandDefinition)));
    }

    [Fact]
    public void Every_command_definition_has_a_cancellation_token()
    {
        var made = (
            from method in Methods
            from at in Enumerable.Range(0, method.Code.Length)
            where method.Code[at].Member is ConstructorInfo { DeclaringType: var type } && type == typeof(CommandDefinition)
            select (method.Name, IsDefault: IsDefaultToken(method.Code, at))).ToArray();

        Assert.Contains(made, m => m.Name.Contains("GetAudit", StringComparison.Ordinal));
        Assert.DoesNotContain(made, m => m.IsDefault);
    }

    [Fact]
    public void A_token_that_is_left_out_is_noticed()
    {
        var without = MethodReader.Read(((Func<CommandDefinition>)(() => new("select 1"))).Method).Where(i => i.Code != OpCodes.Nop).ToArray();

        Assert.True(IsDefaultToken(without, Array.FindIndex(without, i => i.Member is ConstructorInfo)));
    }

    /// <summary>The token is the last argument. One that is left out is a zeroed local, made right before the call.</summary>
    private static bool IsDefaultToken((OpCode Code, MemberInfo? Member)[] code, int call) =>
        code[call - 2] is { Member: Type type } && code[call - 2].Code == OpCodes.Initobj && type == typeof(CancellationToken);
}
